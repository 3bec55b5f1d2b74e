/**
 * Measurements that need a process of their own: a program of this folder, run for the line of JSON that it ends with.
 */
import { execFile } from "node:child_process"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"

const execute = promisify(execFile)

export const runChild = async <A>(
  program: string,
  args: ReadonlyArray<string>,
  nodeFlags: ReadonlyArray<string> = [],
  environment: Readonly<Record<string, string>> = {}
): Promise<A> => {
  const path = fileURLToPath(new URL(program, import.meta.url))
  const { stdout } = await execute(process.execPath, [...nodeFlags, path, ...args], {
    env: { ...process.env, ...environment }
  })
  return JSON.parse(stdout.trimEnd().split("\n").at(-1) ?? "") // of the type that the program says it writes
}
