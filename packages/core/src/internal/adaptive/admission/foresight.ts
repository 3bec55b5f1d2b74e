/**
 * What the tasks in flight will come to use of memory. No start can be taken back, so that what it leads to must be known
 * before.
 */
import type { SignalInfo } from "../../../LoadSignal.ts"
import { maturity, type MemoryModel, plausible, type Seen, taken, usedByTasks } from "../model/memory.ts"
import { areKnown, type Tasks } from "../model/tasks.ts"
import { smoothing } from "../numbers.ts"
import { memory as tuning } from "../tuning.ts"

/**
 * The load where tasks go on to start as others end: what it is now; what as many tasks use on average; what they
 * will once they are as far grown as tasks usually are; and what the present rise leads to, up to what that many could if
 * all were dear.
 */
export const foresee = (model: MemoryModel, seen: Seen, signal: SignalInfo, current: number): number => {
  const others = taken(model, signal)
  const average = others + seen.perTask * current
  const grown = others + usedByTasks(model) * Math.max(1, current * seen.usual / seen.present)
  const dear = average + tuning.dear * Math.sqrt(seen.variance) * current
  const risen = Math.min(signal.load + tuning.foresight * model.rise, dear)
  return Math.max(signal.load, average, grown, risen)
}

/**
 * The load that tasks in flight lead to even if nothing more starts: they grow, and by chance few of them end meanwhile.
 * All that explains use about equally well counts, and the worst of it. Unknown, and none, as long as durations are.
 */
export const peak = (model: MemoryModel, signal: SignalInfo, ages: ReadonlyArray<number>, tasks: Tasks): number => {
  if (!areKnown(tasks)) return 0
  const staysFor = staying(ages, tasks)
  let worst = 0
  for (const seen of plausible(model.candidates)) {
    const until = seen.growth + seen.lag
    for (const later of [until / 2, until]) worst = Math.max(worst, useAfter(later, model, seen, ages, staysFor(later)))
  }
  return taken(model, signal) + worst
}

/** The chance that a task of an age has not surely ended. */
type Stays = (age: number) => number

/** What tasks use after a time in which nothing starts, by one way in which use may follow tasks. */
const useAfter = (
  later: number,
  model: MemoryModel,
  { grown, growth, lag, present, used }: Seen,
  ages: ReadonlyArray<number>,
  stays: Stays
): number => {
  let then = 0, shared = 0, square = 0
  for (const age of ages) {
    const now = maturity(age, growth)
    const grownThen = maturity(age + later, growth) * stays(age)
    then += grownThen
    shared += now * grownThen
    square += now * now
  }
  const perGrown = used / grown
  // Tasks that are dearer than usual go on growing so: each accounts for as much of the excess as it has grown.
  const excess = Math.max(0, usedByTasks(model) - perGrown * present)
  const ofTasks = perGrown * then + excess * shared / Math.max(square, tuning.negligible)
  // Where use comes after tasks, a part of it is still what it is now.
  return smoothing(later, lag)(perGrown * present + excess, ofTasks)
}

/**
 * Which tasks have not surely ended after a time. Who has run for longer than tasks do on average is one of the long ones,
 * and will run for as long again.
 */
const staying = (ages: ReadonlyArray<number>, { duration }: Tasks): (time: number) => Stays => {
  const lasting = (age: number) => Math.max(1, duration, age)
  let rate = 0
  for (const age of ages) rate += 1 / lasting(age)
  return (time) => {
    const surely = Math.max(0, 1 - tuning.fewerEnd / Math.sqrt(time * rate))
    return (age) => Math.max(0, 1 - surely * time / lasting(age))
  }
}
