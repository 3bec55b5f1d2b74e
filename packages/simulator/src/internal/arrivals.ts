/**
 * Tasks that arrive by themselves: a random process whose rate changes from period to period.
 */
import type { ArrivalPeriod } from "../Workload.ts"
import { SeededRandom, seedOf } from "./random.ts"
import type { VirtualTime } from "./virtualTime.ts"

const arrivalSeed = 0xa771

/** Calls `arrive` at each arrival, from now on and for ever. */
export const begin = (
  time: VirtualTime,
  periods: ReadonlyArray<ArrivalPeriod>,
  seed: number,
  arrive: () => void
): void => {
  const random = new SeededRandom(seedOf(seed, arrivalSeed))
  const schedule = (from: number): void => {
    const next = nextArrival(periods, from, random)
    time.at(next, () => {
      arrive()
      schedule(next)
    })
  }
  schedule(time.now)
}

const nextArrival = (periods: ReadonlyArray<ArrivalPeriod>, from: number, random: SeededRandom): number => {
  const cycle = periods.reduce((total, { lasting }) => total + lasting, 0)
  let periodStart = Math.floor(from / cycle) * cycle
  for (let index = 0;; index = (index + 1) % periods.length) {
    const { lasting, perSecond } = periods[index]
    const periodEnd = periodStart + lasting
    // No arrival has a memory, so what is left of a gap when the rate changes is drawn anew.
    const next = Math.max(from, periodStart) + random.exponential(1000 / perSecond)
    if (from < periodEnd && next < periodEnd) return next
    periodStart = periodEnd
  }
}
