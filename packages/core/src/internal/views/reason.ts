/**
 * What holds a pool back, as sentences: the only place that has any. Each says what it is, the value against the limit,
 * since when, and what would change it.
 */
import * as Duration from "effect/Duration"
import type { HeldBackKey } from "../../KeyedLimits.ts"
import type { PoolSnapshot, SignalReading } from "../../PoolSnapshot.ts"
import type { Blocker } from "../../PoolState.ts"
import type { DecisionRecord } from "../../ScalingPolicy.ts"
import * as format from "./format.ts"

/** What a sentence may refer to: a snapshot that has no sentences yet. */
export type Facts = Omit<PoolSnapshot, "holding">

export const words = (facts: Facts, blocker: Blocker, since: number): string =>
  sentences[blocker._tag](facts, blocker as never, format.millis(facts.at - since)) // each is given a blocker of its tag

type Sentences = {
  readonly [Tag in Blocker["_tag"]]: (
    facts: Facts,
    blocker: Extract<Blocker, { readonly _tag: Tag }>,
    held: string
  ) => string
}

const sentences: Sentences = {
  AtDesired: (facts, _, held) => {
    if (facts.share !== undefined && facts.current < facts.desired) return notItsTurn(facts, held)
    return isAtMaximum(facts) ? atMaximum(facts, held) : atDesired(facts, held)
  },
  AtOwnMaximum: (facts, _, held) => atMaximum(facts, held),
  HeldForHeavier: ({ current, share }, _, held) =>
    `Nothing has started for ${held} because the next task takes more permits than are free; it starts when enough of the ${
      share === undefined ? format.count(current, "task") : "tasks"
    } in flight${share === undefined ? "" : " under the shared governor"} have ended.`,
  KeysFull: ({ heldBackKeys }, { key, tasks, until }, held) =>
    `Nothing has started for ${held} because every item at hand waits for its key: ${
      format.count(tasks, "item")
    } for "${key}", more than for any other${
      until === undefined
        ? closedKey(heldBackKeys.find((held) => held.key === key))
        : `, which is closed until ${format.timeOfDay(until)}`
    }. One starts when its key opens.`,
  Overloaded: ({ current, signals }, { signals: names }, held) => {
    const overloaded = signals.filter(({ name }) => names.includes(name)).map(reading)
    return `Nothing has started for ${held} because ${format.list(names)} ${
      names.length === 1 ? "is" : "are"
    } overloaded${overloaded.length === 0 ? "" : `: ${overloaded.join("; ")}`}. ${
      goOn(current)
    }; more start when the load has fallen.`
  },
  StartAllowanceSpent: ({ current, policy }, _, held) =>
    `Nothing has started for ${held} because the policy "${policy}" waits to see what the ${
      format.count(current, "task")
    } in flight use; it lets more start at its next decision.`,
  RateLimited: ({ settings: { maxTasksPerMinute } }) =>
    `Tasks start at an even pace, ${maxTasksPerMinute} in a minute, because maxTasksPerMinute says so; raise it to start ` +
    "more.",
  SharedRateLimited: (_facts, _, held) =>
    `Nothing has started for ${held} because the rate that is shared with other pools (rateLimit) has no token; the next ` +
    "task starts when it has one.",
  Paused: (_facts, { until }, held) =>
    until === undefined
      ? `The pool has been paused for ${held}; call resume to go on.`
      : `Nothing has started for ${held}, and nothing starts before ${
        format.timeOfDay(until)
      }, because pauseFor was called.`,
  NoTaskReady: ({ current, desired }, _, held) =>
    `There has been nothing to start for ${held}; ${inFlight(current)} where ${desired} ${
      desired === 1 ? "is" : "are"
    } desired, and more start as soon as the source has an item.`,
  Delayed: (_facts, { next, tasks }, held) =>
    `Nothing has started for ${held}: ${format.count(tasks, "task")} that failed ${
      tasks === 1 ? "waits" : "wait"
    } for another try, the first until ${format.timeOfDay(next)}.`,
  Draining: ({ current }, _, held) =>
    current === 0 ?
      unanswered(held) :
      `Nothing has started for ${held} because drain was called; the run ends with the ${
        format.count(current, "task")
      } in flight.`,
  Finalizing: (_facts, { oldest, tasks }, held) =>
    tasks === 0 ?
      unanswered(held) :
      `The pool waits for the finalizers of ${format.count(tasks, "interrupted task")}, the first for ${
        format.millis(Duration.toMillis(oldest))
      }; the option finalizerTimeout limits that.`
}

/** No task is left of a run that ends, and yet it has not ended. */
const unanswered = (held: string): string =>
  `The run has been ending for ${held} and waits for its source, or a check, which was asked, and interrupted, and has ` +
  "not answered; the option finalizerTimeout limits that."

const goOn = (tasks: number): string => `${format.count(tasks, "task")} ${tasks === 1 ? "goes" : "go"} on`

/** Every reason that there is for starting nothing. */
// The keys of the sentences are the tags: the type has one for each.
export const blockers = Object.keys(sentences) as ReadonlyArray<Blocker["_tag"]>

/** Whether a pool that is at what is desired is at its own maximum. In a budget of its own, tasks hold all permits then. */
export const isAtMaximum = (
  { current, desired, settings, share }: Pick<Facts, "current" | "desired" | "settings" | "share">
) => desired >= settings.maxConcurrency && (current >= desired || share === undefined)

const closedKey = (key: HeldBackKey | undefined): string => {
  if (key === undefined) return ""
  return key.inFlight >= key.limit
    ? `, which has ${format.count(key.inFlight, "task")} in flight, as many as it may`
    : ", which its rate, or what its service has said, keeps closed"
}

const inFlight = (tasks: number): string => `${format.count(tasks, "task")} ${tasks === 1 ? "is" : "are"} in flight`

/** Of a budget of the pool's own, of which all permits are in use. */
const inFlightOfAll = ({ current, desired, share }: Facts): string =>
  share === undefined && current < desired
    ? `${inFlight(current)} with all ${format.count(desired, "permit")}`
    : inFlight(current)

const atMaximum = (facts: Facts, held: string): string =>
  `${inFlightOfAll(facts)}, for ${held} as many as maxConcurrency (${facts.settings.maxConcurrency}) allows; ` +
  "raise it to run more."

const notItsTurn = ({ current }: Facts, held: string): string =>
  `${
    inFlight(current)
  }; all other permits of the shared governor have been in use by other consumers, or owed to them, ` +
  `for ${held}. More start when it is this pool's turn.`

const atDesired = (facts: Facts, held: string): string => {
  const { lastDecision, policy } = facts
  const why = lastDecision === undefined ? "it has not decided yet" : lastDecision.reason.summary
  return `${
    inFlightOfAll(facts)
  }, as many as the policy "${policy}" has wanted for ${held}: ${why}. It decides again by itself.`
}

/** `memory 20.3 of 22.4 GiB (cgroup /x), 91 % where 90 % is the target`. */
export const reading = (signal: SignalReading): string => {
  const { load, measure, name, target } = signal
  const amount = measure === undefined ? "" : ` ${format.measure(measure)},`
  return `${name}${amount} ${format.percent(load)} where ${format.percent(target)} is the target${outlasting(signal)}`
}

/** A verdict is on a window of time: without this, an overload whose load has just fallen would look like a mistake. */
const outlasting = ({ actualRatio, isOverloaded, limitRatio, load, target }: SignalReading): string =>
  isOverloaded && load <= target && actualRatio > limitRatio
    ? `, overloaded for ${format.percent(actualRatio)} of the last seconds where ${
      format.percent(limitRatio)
    } is allowed`
    : ""

/** A decision of the policy, such as `14 tasks are desired in place of 12: …`. */
export const decision = ({ from, reason, to }: DecisionRecord): string =>
  from === to
    ? `${format.count(to, "task")} ${to === 1 ? "stays" : "stay"} desired: ${reason.summary}`
    : `${format.count(to, "task")} ${to === 1 ? "is" : "are"} desired in place of ${from}: ${reason.summary}`
