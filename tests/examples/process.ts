/**
 * Runs an example as a process of its own, as a user does.
 */
import { type ChildProcess, spawn } from "node:child_process"
import * as path from "node:path"
import { root } from "../../scripts/workspace.ts"

export interface Ended {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

/** `onOutput` is called with all that was written so far, standard output first, whenever there is more of it. */
export const runExample = (
  file: string,
  args: ReadonlyArray<string> = [],
  onOutput: (output: string, child: ChildProcess) => void = () => {}
): Promise<Ended> =>
  new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [path.join(root, "examples", file), ...args], {
      cwd: root,
      timeout: 50_000,
      killSignal: "SIGKILL",
      stdio: ["ignore", "pipe", "pipe"]
    })
    let stdout = ""
    let stderr = ""
    child.stdout.setEncoding("utf8").on("data", (text) => {
      stdout += text
      onOutput(stdout + stderr, child)
    })
    child.stderr.setEncoding("utf8").on("data", (text) => {
      stderr += text
      onOutput(stdout + stderr, child)
    })
    child.on("error", reject)
    child.on("close", (code) => resolve({ code, stdout, stderr }))
  })
