/**
 * The property: whatever a program does, the pool does one of the things that the model permits.
 */
import { Cause, Effect, Exit } from "effect"
import { PoolModel } from "./PoolModel.ts"
import { print, type Program } from "./PoolProgram.ts"
import { execute, type Wrap } from "./PoolRun.ts"
import { agree, describe, type Moment, type Trace } from "./PoolTrace.ts"

/** More traces than this are not tried: a program with so many ties proves nothing. */
const mostTraces = 300

/**
 * Looks for a permitted trace that is the actual one: the first in which nothing differs. The choices behind the first
 * difference are not tried, because none of them can mend it.
 */
const search = (program: Program, actual: Trace): { readonly best: Trace; readonly isFound: boolean; readonly isAll: boolean } => {
  let path: Array<number> = []
  const starts = actual.flatMap((moment) => moment.starts.map((start) => Number.parseInt(start, 10)))
  let best: Trace = []
  for (let tried = 0; tried < mostTraces; tried++) {
    const counts: Array<number> = []
    const model = new PoolModel(program, {
      choose: (count) => {
        counts.push(count)
        return path[counts.length - 1] ?? 0
      },
      nextStart: (items, n) => items.includes(starts[n]) ? starts[n] : items[0]
    })
    const trace: Array<Moment> = []
    let isSame = true
    for (const moment of model.moments()) {
      trace.push(moment)
      const seen = actual[trace.length - 1]
      isSame = seen !== undefined && agree(moment, seen)
      if (!isSame) break
    }
    if (trace.length > best.length) best = trace
    if (isSame) return { best: trace, isFound: true, isAll: false }
    path = counts.map((_, index) => path[index] ?? 0)
    while (path.length > 0 && path[path.length - 1] + 1 >= counts[path.length - 1]) path.pop()
    if (path.length === 0) return { best, isFound: false, isAll: true }
    path[path.length - 1]++
  }
  return { best, isFound: false, isAll: false }
}

export const verify = (program: Program, wrap?: Wrap): Effect.Effect<boolean, string> =>
  Effect.flatMap(Effect.exit(execute(program, wrap)), (exit) => {
    if (Exit.isFailure(exit)) return Effect.fail(Cause.pretty(exit.cause))
    let found
    try { found = search(program, exit.value) } catch (e) { return Effect.fail(String(e)) }
    const { best, isFound, isAll } = found
    if (isFound) return Effect.succeed(true)
    if (!isAll) console.log("inconclusive\n" + print(program) + describe(program, best, exit.value))
    return isAll ? Effect.fail(describe(program, best, exit.value)) : Effect.succeed(true)
  })
