/**
 * What the tasks in flight will come to use of memory. No start can be taken back, so that what it leads to must be known
 * before.
 */
import type { SignalInfo } from "../../LoadSignal.ts"
import { maturity, type MemoryModel, plausible, type Seen, taken, usedByTasks } from "./memory.ts"
import { smoothing } from "./numbers.ts"
import { isKnown, type Pace } from "./pace.ts"

/** How far ahead a rise of memory use is followed, in milliseconds. */
const foresight = 2000

/**
 * The load where tasks go on to start as others end: what it is now; what as many tasks use on average; what they will
 * once they are as far grown as tasks usually are; and what the present rise leads to, up to what that many could if all
 * were dear.
 */
export const foresee = (model: MemoryModel, seen: Seen, signal: SignalInfo, current: number): number => {
  const { load } = signal
  const others = taken(model, signal)
  const average = others + seen.perTask * current
  const grown = others + usedByTasks(model) * Math.max(1, current * seen.usual / seen.present)
  const dear = average + 2 * Math.sqrt(seen.variance) * current
  const risen = Math.min(load + foresight * model.rise, dear)
  return Math.max(load, average, grown, risen)
}

/**
 * The load that tasks in flight lead to even if nothing more starts: they grow, and by chance few of them end meanwhile.
 * All that explains use about equally well counts, and the worst of it. Unknown, and none, as long as durations are.
 */
export const peak = (model: MemoryModel, signal: SignalInfo, ages: ReadonlyArray<number>, pace: Pace): number => {
  if (model.candidates === null || !isKnown(pace)) return 0
  const endings = surelyEnded(ages, pace)
  const worst = Math.max(
    ...plausible(model.candidates).map((seen) => {
      const until = seen.growth + seen.lag
      const useAt = (later: number) => useAfter(later, model, seen, ages, endings(later))
      return Math.max(useAt(until / 2), useAt(until))
    })
  )
  return taken(model, signal) + worst
}

/** The chance that a task of an age has ended. */
type Ended = (age: number) => number

/** What tasks use after a time in which nothing starts; `seen`: one way in which use may follow tasks. */
const useAfter = (
  later: number,
  model: MemoryModel,
  { grown: meanGrown, growth, lag, present, used }: Seen,
  ages: ReadonlyArray<number>,
  ended: Ended
): number => {
  let grown = 0, shared = 0, square = 0
  for (const age of ages) {
    const now = maturity(age, growth)
    const then = maturity(age + later, growth) * (1 - ended(age))
    grown += then
    shared += now * then
    square += now * now
  }
  const perGrown = used / meanGrown
  const excess = Math.max(0, usedByTasks(model) - perGrown * present)
  // Tasks that are dearer than usual go on growing so: each accounts for as much of the excess as it has grown.
  const ofTasks = perGrown * grown + (square === 0 ? 0 : excess * shared / square)
  // Where use comes after tasks, a part of it is still what it is now.
  return smoothing(later, lag)(perGrown * present + excess, ofTasks)
}

/** By how many standard deviations fewer tasks may end than do on average. */
const fewer = 2

/**
 * Which tasks have surely ended after a time. Who has run for longer than tasks do on average is one of the long ones, and
 * will run for as long again.
 */
const surelyEnded = (ages: ReadonlyArray<number>, { duration }: Pace): (time: number) => Ended => {
  const lasting = (age: number) => Math.max(1, duration, age)
  let rate = 0
  for (const age of ages) rate += 1 / lasting(age)
  return (time) => {
    const ends = time * rate
    const surely = ends === 0 ? 0 : Math.max(0, 1 - fewer / Math.sqrt(ends))
    return (age) => Math.min(1, surely * time / lasting(age))
  }
}
