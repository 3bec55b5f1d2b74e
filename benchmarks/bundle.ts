/**
 * What the library adds to a bundle, minified and gzipped, beyond the parts of `effect` that it uses.
 *
 * The parts are told by the bundle itself: once more with `effect` left outside, whatever it still asks of `effect` is
 * what a twin without the library has to bring.
 */
import { build } from "esbuild-wasm"
import { fileURLToPath } from "node:url"
import { gzipSync } from "node:zlib"
import type { Question } from "./question.ts"
import { type Goal, short } from "./report.ts"

interface Program {
  readonly name: string
  readonly source: string
  /** KiB that it may add. */
  readonly limit?: number
}

const poolProgram = (status: string, system: string): string => `
  import * as AutoscaledPool from "@autoscaled-pool/core/AutoscaledPool"
  import * as Status from "${status}"
  import * as Effect from "effect/Effect"
  const work = { runTask: Effect.void, isTaskReady: Effect.succeed(false), isFinished: Effect.succeed(true) }
  const run = Effect.flatMap(AutoscaledPool.make(work), (pool) => pool.run)
  Effect.runFork(Effect.provide(run, Status.${system}))
`

const programs: ReadonlyArray<Program> = [
  {
    name: "AutoscaledPool.make, SystemStatus.layer",
    source: poolProgram("@autoscaled-pool/core/SystemStatus", "layer({ signals: [] })"),
    limit: 10
  },
  {
    name: "AutoscaledPool.make, NodeSystemStatus.layer",
    source: poolProgram("@autoscaled-pool/platform-node/NodeSystemStatus", "layer()")
  },
  { name: "all of core", source: `export * from "@autoscaled-pool/core"` }
]

export const bundle: Question = {
  key: "bundle",
  title: "What does the library add to a bundle?",
  ask: async (effort) => {
    const sized = effort === "Quick" ? programs.slice(0, 1) : programs
    const sizes = await Promise.all(sized.map(async (program) => ({ ...program, ...(await sizeOf(program.source)) })))
    return {
      notes: [
        "KiB, minified and gzipped (esbuild); \"effect\" is a bundle of the members of it that the program uses."
      ],
      tables: [{
        title: "Bundles",
        columns: ["", "whole", "effect", "added"],
        rows: sizes.map(({ effect, name, whole }) => [name, short(whole), short(effect), short(whole - effect)])
      }],
      goals: sizes.flatMap(({ effect, limit, name, whole }): ReadonlyArray<Goal> =>
        limit === undefined
          ? []
          : [{ what: `bundle, ${name}: added`, bound: "<=", limit, unit: "KiB", value: whole - effect }]
      )
    }
  }
}

const sizeOf = async (source: string): Promise<{ readonly whole: number; readonly effect: number }> => {
  const members = membersOf(await bundled(source, { minify: false, external: ["effect"] }))
  return {
    whole: zippedKibibytes(await bundled(source, { minify: true })),
    effect: zippedKibibytes(await bundled(twinOf(members), { minify: true }))
  }
}

const bundled = async (
  source: string,
  options: { readonly minify: boolean; readonly external?: Array<string> }
): Promise<string> => {
  const { outputFiles } = await build({
    ...options,
    stdin: { contents: source, resolveDir: fileURLToPath(new URL(".", import.meta.url)), loader: "ts" },
    bundle: true,
    write: false,
    format: "esm",
    platform: "node",
    legalComments: "none"
  })
  return outputFiles[0].text
}

const zippedKibibytes = (code: string): number => gzipSync(code, { level: 9 }).byteLength / 1024

/** The members that a bundle asks of modules outside it, by module. */
const membersOf = (code: string): ReadonlyMap<string, ReadonlySet<string>> => {
  const members = new Map<string, Set<string>>()
  const add = (module: string, names: Iterable<string>) => {
    members.set(module, new Set([...members.get(module) ?? [], ...names]))
  }
  for (const [, alias, module] of code.matchAll(/import \* as (\w+) from "(effect\/[^"]+)"/g)) {
    add(module, [...code.matchAll(new RegExp(`\\b${alias}\\.(\\w+)`, "g"))].map(([, member]) => member))
  }
  for (const [, names, module] of code.matchAll(/import \{([^}]+)\} from "(effect\/[^"]+)"/g)) {
    add(module, names.split(",").map((name) => name.trim().split(" as ")[0]))
  }
  return members
}

const twinOf = (members: ReadonlyMap<string, ReadonlySet<string>>): string => {
  const modules = [...members]
  const imports = modules.map(([module], index) => `import * as M${index} from "${module}"`)
  const uses = modules.flatMap(([, names], index) => [...names].map((name) => `M${index}.${name}`))
  return `${imports.join("\n")}\nglobalThis.used = [${uses.join(", ")}]`
}
