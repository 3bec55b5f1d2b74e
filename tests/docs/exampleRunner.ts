/**
 * Runs examples of the documentation inside a test file.
 */
import * as fs from "node:fs"
import * as path from "node:path"
import { type Example, instrument, type Program, typeErrors, write } from "../../scripts/doc-examples.ts"
import { root } from "../../scripts/workspace.ts"
import { verdictsOf } from "./recorder.ts"

export interface Runnable {
  readonly program: Program
  /** Runs the example; fails with the first assertion that does not hold, or that was never reached. */
  readonly run: () => Promise<void>
}

export interface Examples {
  readonly runnables: ReadonlyArray<Runnable>
  readonly typeErrors: () => Array<string>
  readonly remove: () => void
}

/** Writes examples as programs that can be checked and run, below the root so that they find its packages. */
export const prepare = (examples: ReadonlyArray<Example>): Examples => {
  fs.mkdirSync(path.join(root, ".generated"), { recursive: true })
  const directory = fs.mkdtempSync(path.join(root, ".generated/examples-"))
  const recorder = path.relative(directory, path.join(import.meta.dirname, "recorder.ts"))
  const keys = examples.map((_, index) => `${path.basename(directory)}/${index}`)
  const programs = examples.map((example, index) => instrument(example, keys[index], recorder))
  const files = write(programs, directory)
  return {
    runnables: programs.map((program, index) => ({ program, run: () => run(program, files[index], keys[index]) })),
    typeErrors: () => typeErrors(programs, directory),
    remove: () => fs.rmSync(directory, { recursive: true })
  }
}

const run = async ({ assertions, example }: Program, file: string, key: string): Promise<void> => {
  await import(file)
  const verdicts = verdictsOf(key)
  for (const { error, line } of verdicts) {
    if (error !== undefined) throw new Error(`${example.file}:${line}: the assertion does not hold`, { cause: error })
  }
  const missed = assertions.find((line) => verdicts.every((verdict) => verdict.line !== line))
  if (missed !== undefined) throw new Error(`${example.file}:${missed}: the assertion was never reached`)
}
