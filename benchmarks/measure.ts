/**
 * Measures several contenders side by side, so that whatever else the machine does meets all of them alike.
 */
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
 * Lets each entrant run once per round, after a warm-up. The order is another one in each round, so that nobody always
 * pays for the garbage of the same predecessor. No garbage collection is forced: after one, V8 runs everything at half
 * its speed for longer than a lap lasts.
 */
export const interleave = async (entrants: ReadonlyArray<Entrant>, { rounds, tasks }: Rounds): Promise<Laps> => {
  const laps = new Map<string, Array<Lap>>(entrants.map(({ name }) => [name, []]))
  for (const { run } of entrants) await run(tasks / 2)
  for (let round = 0; round < rounds; round++) {
    for (const { name, run } of shuffled(entrants)) {
      await pause()
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

const shuffled = <A>(entries: ReadonlyArray<A>): ReadonlyArray<A> =>
  entries.map((entry) => ({ entry, at: Math.random() })).toSorted((a, b) => a.at - b.at).map(({ entry }) => entry)

/** Time for what the last lap has left to do. */
const pause = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 20))
