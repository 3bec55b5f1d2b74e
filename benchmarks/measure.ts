/**
 * Measures several contenders side by side, so that whatever else the machine does meets all of them alike.
 */
import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"
import { median } from "./statistics.ts"

export interface Entrant {
  readonly name: string
  readonly run: (tasks: number) => Promise<unknown>
}

export interface Rounds {
  readonly tasks: number
  readonly rounds: number
}

/** What a round of an entrant took: wall-clock time and CPU time of the process, both in milliseconds. */
export interface Lap {
  readonly wall: number
  readonly cpu: number
}

/** Medians over the rounds, by entrant. */
export type Laps = ReadonlyMap<string, Lap>

/**
 * Lets each entrant run once per round, after a warm-up with a tenth of the tasks. The order rotates from round to round,
 * and garbage is collected before each, so that nobody pays for a predecessor.
 */
export const interleave = async (entrants: ReadonlyArray<Entrant>, { rounds, tasks }: Rounds): Promise<Laps> => {
  const laps = new Map<string, Array<Lap>>(entrants.map(({ name }) => [name, []]))
  for (const { run } of entrants) await run(Math.ceil(tasks / 10))
  for (let round = 0; round < rounds; round++) {
    for (const { name, run } of rotate(entrants, round)) {
      collectGarbage()
      laps.get(name)?.push(await lap(() => run(tasks)))
    }
  }
  return new Map([...laps].map(([name, laps]) => [name, {
    wall: median(laps.map(({ wall }) => wall)),
    cpu: median(laps.map(({ cpu }) => cpu))
  }]))
}

const lap = async (run: () => Promise<unknown>): Promise<Lap> => {
  const cpuBefore = process.cpuUsage()
  const before = performance.now()
  await run()
  const wall = performance.now() - before
  const { system, user } = process.cpuUsage(cpuBefore)
  return { wall, cpu: (system + user) / 1000 }
}

const rotate = <A>(entries: ReadonlyArray<A>, by: number): ReadonlyArray<A> => {
  const start = by % entries.length
  return [...entries.slice(start), ...entries.slice(0, start)]
}

const exposeGarbageCollector = (): () => void => {
  setFlagsFromString("--expose-gc")
  return runInNewContext("gc")
}

export const collectGarbage = exposeGarbageCollector()
