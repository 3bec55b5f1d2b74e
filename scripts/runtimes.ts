/**
 * Runs `runtimes/program.ts` on Node.js, Bun and Deno: `npm run test:runtimes`. Bun and Deno come from npm, in the
 * versions below, and are skipped where they cannot be had.
 */
import { spawnSync } from "node:child_process"
import { root } from "./workspace.ts"

const program = "scripts/runtimes/program.ts"

interface Runtime {
  readonly name: string
  readonly command: ReadonlyArray<string>
}

const fromNpm = (name: string, version: string): ReadonlyArray<string> => [
  "npx",
  "--yes",
  `--package=${name}@${version}`,
  name
]

const runtimes: ReadonlyArray<Runtime> = [
  { name: "Node.js", command: [process.execPath] },
  { name: "Bun", command: fromNpm("bun", "1.4.5") },
  { name: "Deno", command: fromNpm("deno", "2.9.6") }
]

const start = ([command, ...args]: ReadonlyArray<string>, options: { readonly isQuiet: boolean }) =>
  spawnSync(command, args, {
    cwd: root,
    timeout: 120_000,
    encoding: "utf8",
    stdio: options.isQuiet ? "pipe" : ["ignore", "inherit", "inherit"]
  })

for (const { command, name } of runtimes) {
  const version = start([...command, "--version"], { isQuiet: true })
  if (version.status !== 0) {
    const reason = version.error?.message ?? version.stderr.trim().split("\n").at(-1) ?? "it does not start"
    console.log(`${name}: skipped, as it cannot be had here: ${reason}`)
    continue
  }
  console.log(`${name} ${version.stdout.trim().split("\n")[0]}`)
  const permissions = name === "Deno" ? ["run", "--allow-all"] : []
  const { error, status } = start([...command, ...permissions, program], { isQuiet: false })
  if (status === 0) continue
  console.error(`  failed: ${error?.message ?? `it ended with ${status}`}`)
  process.exitCode = 1
}
