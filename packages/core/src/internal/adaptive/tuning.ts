/**
 * Every number of the law: what it is measured in, why it is what it is, and what doubling it is expected to do, which
 * `scripts/ablate.ts --double` measures. Above each block is the test that notices when one of them is wrong, in
 * `tests/core/policies/adaptive` unless it says otherwise.
 */

/** Two levels are the same, or about the same, within these shares. Watched by every test of a stage. */
export const tolerance = {
  same: 0.03, // less than rounding to tasks does; doubled: limits are followed in coarser steps
  near: 0.15 // less than a probe is away (a fifth); doubled: levels that differ count as one
} as const

/** A wait: so many times the duration of a task, but no less and no more than so many milliseconds. */
export interface Wait {
  readonly tasks: number
  readonly least: number
  readonly most: number
}

export const wait = ({ least, most, tasks }: Wait, time: number): number =>
  Math.max(least, Math.min(most, tasks * time))

/**
 * What a change of concurrency does is not visible before about a task's duration. Doubled: slower, and surer.
 * Watched by reading, coldStart, guards, following, steady and backoff.test.ts, and by tests/simulator.
 */
export const waits = {
  coldRaise: { tasks: 1, least: 500, most: 5000 }, // between two raises while nothing is known: two samples of memory
  firstReading: { tasks: 1, least: 500, most: Infinity }, // the first tasks, which all began together
  wholeSettling: { tasks: 1, least: 0, most: 40_000 }, // until all that runs has begun at this level
  settling: { tasks: 0.85, least: 0, most: 40_000 }, // the same while doubling: then half of what runs is new at once
  leastGrowth: { tasks: 0.5, least: 500, most: 40_000 }, // a measurement while doubling: differences are large
  mostGrowth: { tasks: 1.5, least: 2000, most: 60_000 }, // then few tasks are enough
  leastProbe: { tasks: 1, least: 1000, most: 40_000 }, // a measurement that tells levels a fifth apart
  mostProbe: { tasks: 2.5, least: 3000, most: 60_000 }, // then few tasks are enough
  comeDown: { tasks: 0.5, least: 750, most: 5000 }, // starts have stopped; running tasks drain, and no faster
  comeDownUrgently: { tasks: 0, least: 1000, most: 1000 }, // memory and losses: four decisions
  followUp: { tasks: 1, least: 2000, most: 10_000 }, // up to a limit: its use answers within a task
  check: { tasks: 1.25, least: 1500, most: Infinity }, // until use must have answered to a step up
  slack: { tasks: 0.25, least: 3000, most: 10_000 }, // far below its target for so long, a resource does not bind
  followLimit: { tasks: 10, least: 5000, most: 30_000 }, // up with a limit that wavers
  use: { tasks: 0.5, least: 1000, most: 20_000 }, // of the means of use: tasks use a resource in bursts
  window: { tasks: 1.25, least: 1000, most: Infinity }, // of throughput: to see tasks end that began in it
  blocked: { tasks: 1, least: 1000, most: Infinity }, // the time over which the event loop counts as blocked
  lossPeriod: { tasks: 1, least: 500, most: 5000 }, // tasks that end within it after a cut began before it
  returning: { tasks: 1.5, least: 750, most: 5000 }, // between steps back up below the loss
  lossProbe: { tasks: 3, least: 1500, most: 8000 }, // between probes beyond it
  failedProbe: { tasks: 3, least: 3000, most: Infinity }, // a loss so soon after a probe is the probe's
  cooling: { tasks: 1, least: 250, most: 15_000 } // the slot of a rejected task: as if it had been served
} as const satisfies Record<string, Wait>

/** Share of the time that decisions come late by. Doubled: readings of a blocked loop are believed. law.test.ts */
export const shaken = 0.1

/** Share of the time that a limit must bind to be made use of. Doubled: hardly anything is ever measured. law.test.ts */
export const saturated = 0.5

/** Durations of tasks. Watched by tasks.test.ts. */
export const tasks = {
  fewestKnown: 5, // tasks; below, a mean says nothing; doubled: cold start is longer
  few: 20, // tasks; below, those that ended are the short ones; doubled: waits are longer at first
  forgetting: 0.03, // per task: about the last 33 count; doubled: the clock follows sooner, and is noisier
  slowForgetting: 0.01, // per task: the last 100, for the variation; doubled: that is noisier
  mostSeen: 100, // tasks that count beside the imagined ones; doubled: few tasks are trusted more
  imagined: 10, // tasks of variation 1, for few understate a long tail; doubled: more tasks per reading at first
  replaced: 0.8, // of E[S^2] / E[S]; doubled: probes wait twice as long where durations vary
  longestTurnover: 15_000 // ms; doubled: rare tasks of minutes hold up probes
} as const

/** What resources can bear. Watched by resources.test.ts. */
export const resources = {
  fairShare: 0.5, // of a target that stays ours; 0 ends with nothing beside a greedy neighbour, 1 gives no way
  noise: 0.05, // of a target; a quotient of less is noise; doubled: a limit shows later
  beyond: 1.06, // an idle event loop serves only that nothing waits; +8 % tasks on a real thread, late by 14 ms
  leastLimitRatio: 0.01, // no division by 0 where a signal allows no overload at all
  exhausted: 0.985, // load; demand beyond that shows nowhere; doubled: never, so that twice as many as fit may run
  fewerShare: 0.1, // then so much less; doubled: it wavers more
  fewerTasks: 0.75 // or so many tasks, that few round to one less; doubled: two less
} as const

/** How use of memory may follow tasks; which it is shows in use. Watched by memory.test.ts. */
export interface Shape {
  /** How long a task's footprint grows, as a share of the time that tasks take. */
  readonly growth: number
  /** By which time constant use comes after tasks, in milliseconds: what they leave behind is collected later. */
  readonly lag: number
}

export const shapes: ReadonlyArray<Shape> = [
  { growth: 0.02, lag: 0 }, // buffers, at once
  { growth: 0.25, lag: 0 },
  { growth: 0.75, lag: 0 },
  { growth: 2, lag: 0 }, // for longer than most of them last
  { growth: 0.25, lag: 1000 } // short tasks, whose garbage is most of what is in use
]

/** Memory. Watched by memory.test.ts, foresight.test.ts and admission.test.ts. */
export const memory = {
  newborn: 0.2, // of a grown task's use; what it has from the start; doubled: young tasks look cheaper
  leastGrowth: 10, // ms, a few samples of nothing; doubled: short tasks look dearer
  mostGrowth: 15_000, // ms; doubled: long tasks look dearer
  unknownGrowth: 5000, // ms, while durations are unknown; doubled: tasks look dearer at first
  unclear: 10, // ms; later than this, tasks have ended that were measured; doubled: fewer samples are passed over
  unclearShare: 0.02, // of a task's time, the same; doubled: the same for long tasks
  doubt: 0.2, // of its time that an unclear one counts for; doubled: a blocked loop teaches wrong costs
  mostPassed: 2, // unclear measurements to pass over; doubled: later where all are unclear
  safety: 3, // standard deviations of use that stay free below the limit; doubled: fewer tasks where they differ much
  plausible: 1.5, // times the least strayness that still explains use about as well; doubled: more caution
  negligible: 1e-6, // of the limit: no cost at all; doubled: nothing
  fewAtFirst: 4, // tasks that add little to the base while they are young; doubled: tasks look cheaper
  leastSpan: 10_000, // ms of a mean of use; doubled: dearer tasks are noticed later
  spanTasks: 3, // task durations, the same; doubled: dearer tasks are noticed later
  strayingSpans: 6, // such spans of the mean of how far use strays; doubled: room stays free for longer after that
  untold: 0.5, // relative variance of a task's use before any is seen; doubled: fewer starts at first
  imagined: 4, // measurements for which that stands; doubled: the same for longer
  abatement: 700, // ms in which a rise is forgotten; doubled: starts pause for longer after each
  differing: 0.65, // relative deviation beyond which starts explain no rise; doubled: rises of dearer tasks are missed
  differingWidth: 0.25, // and down to which less and less of it is; doubled: more starts pause
  foresight: 2000, // ms that a rise is taken to go on; doubled: fewer kills, fewer tasks
  dear: 2, // standard deviations by which all tasks may be dear; doubled: a rise stops more starts
  fewerEnd: 2, // standard deviations by which fewer tasks may end; doubled: none are counted on
  showing: 0.004, // of the limit: tasks show in use; doubled: small tasks pass for hidden
  soon: 1000, // ms within which they do where reports are not late; doubled: kills where reports are late
  notable: 0.05, // of the limit: memory may come to matter; doubled: growth waits later
  watched: 10_000, // ms after which a mean is known however late it is reported; doubled: growth waits for longer
  hidden: 2000, // ms that a rise may not show; doubled: growth is slower where reports are late
  startsWithin: 0.38, // of the way from the aim to the limit: 0.91 by default; doubled: kills
  peakWithin: 0.58, // of that way: 0.94; doubled: kills
  ample: 3.6, // standard deviations to spare for starts not to be counted; doubled: more are counted
  longTailed: 0.6, // relative deviation of a task's use that may have a long tail; doubled: fewer starts are counted
  spare: 1.2, // standard deviations to keep free; none: 10 kills in 16 runs of `mixed`
  leastStarts: 2, // tasks to grow by between two samples; doubled: growth of few tasks outruns its samples
  startsShare: 0.15 // of desired, the same; doubled: growth outruns its samples
} as const

/** Cold start. Watched by coldStart.test.ts. */
export const coldStart = {
  first: 2, // tasks; doubled: more is risked on tasks of unknown cost
  outlasting: 1.75, // times the mean of those that ended; older ones are no exception; doubled: means of the short ones
  least: 8, // tasks to judge by, whatever the start value; doubled: more than may run
  most: 10, // tasks that may run before anything is known; doubled: kills where tasks are dear
  growth: 2 // times; doubled: memory is seen two steps late
} as const

/** When a measurement is long enough. Watched by reading.test.ts. */
export const measuring = {
  perVariance: 20, // tasks per squared variation while doubling; doubled: later, and surer
  fewestGrowth: 10, // tasks; doubled: later where durations vary little
  mostGrowth: 60, // tasks; doubled: later where they vary much
  perVarianceOfProbe: 200, // tasks per squared variation; doubled: fewer moves, on better evidence
  fewestProbe: 20, // tasks; doubled: the same where durations vary little
  mostProbe: 400, // tasks; doubled: the same where they vary much
  fewest: 6 // tasks; less is no measurement at all; doubled: long tasks are measured later
} as const

/** Slow start. Watched by slowStart.test.ts. */
export const slowStart = {
  congested: 0.5, // elasticity: more of a doubling lost to duration does not pay; doubled: it never ends
  errors: 1.8, // standard errors that it must exceed; doubled: overshoot, fewer false ends
  mostDoubted: 3, // readings of a blocked event loop to take again; doubled: ends later in a loop that is always blocked
  spare: 1.15, // times the bandwidth-delay product, for what varies; doubled: lands past every knee
  growth: 2 // times; faster overshoots by more than one doubling
} as const

/** Descending. Watched by descending.test.ts. */
export const descending = {
  far: 1.5, // times fewer: enough to tell at once; doubled: a false alarm costs more throughput
  helped: 0.6, // elasticity from which fewer tasks have helped; doubled: none ever has
  narrowest: 0.05 // in ln of concurrency; no division by 0; doubled: nothing
} as const

/** Following a limit. Watched by following.test.ts. */
export const following = {
  slack: 0.85, // of a target; who uses less of it does not bind; doubled: nothing is ever followed
  muchMore: 1.6, // times; so much more room is explored by doubling; doubled: climbs slowly instead
  fewer: 0.9, // of the level that was checked: other tasks; doubled: nothing is ever checked
  less: 0.95, // of the use that was checked: other tasks; doubled: the same
  proportional: 0.3 // of a proportional rise of use is the least that counts as one; doubled: noise ends following
} as const

/** The steady state. Watched by steady.test.ts. */
export const steady = {
  surprise: 0.3, // in ln of duration; a reading so far off is of other tasks; doubled: changes are seen later
  surpriseErrors: 3, // standard errors, the same; doubled: changes are seen later
  firstHold: 1, // readings at the center before the first probe; doubled: the first probe is later
  firstInterval: 1, // readings between probes after a move; doubled: a knee that moves is followed later
  secondInterval: 2, // and upon arrival; doubled: the same at first
  longer: 1.6, // times, after each undecided probe; doubled: changes are found later
  room: 0.55, // elasticity that it must be below, by a standard error, to go up; doubled: past every knee
  congested: 0.5, // that it must be above, by a standard error, to come down; doubled: never comes down
  more: 1.2, // times up; doubled: jumps past knees
  fewer: [1.15, 1.3, 1.6], // times down: the first, the second and later moves; doubled: one false move costs much
  firmly: 4, // times as long to hold below a limit of memory; doubled: a knee below it is found later
  muchMore: 1.6, // times; so much more room is explored, not followed; doubled: climbs blindly
  mostRise: 0.25, // of the center in one decision; doubled: hardly anything
  fewestCounted: 15, // tasks that a distance is reckoned by; doubled: nearer probes of few tasks tell less
  distanceErrors: 1.6, // standard errors that a probe is away; doubled: probes cost more
  leastDistance: 0.2, // of the center, 2 to 3 % of throughput near a knee; doubled: probes cost more
  mostDistance: 0.5, // of the center; doubled: probes of varying tasks cost more
  longestHold: { total: 20_000, least: 2, most: 12 } // doubled: rarer
} as const

/** The fit of durations to concurrency. Watched by elasticity.test.ts. */
export const elasticity = {
  reach: 0.22, // in ln of concurrency: a fifth; doubled: far readings blur a knee
  ridge: 0.8, // times squared variation: weight of the belief in no slope; doubled: slower to see congestion
  mostRidge: 0.6, // where durations vary much; doubled: the same there
  heaviest: 200, // tasks of a reading that count; doubled: long readings outweigh others
  most: 24, // readings; doubled: nothing, for those are forgotten
  keeping: 0.95, // of their weight at each reading of the center; nearer 1: changes are seen later
  keepingOfProbe: 0.8, // at each other; doubled: nothing is forgotten
  traceWeight: 1e-6 // no division by 0 where all readings are far away; doubled: nothing
} as const

/** The best throughput, and its collapse. Watched by best.test.ts. */
export const best = {
  perVariance: 20, // tasks per squared variation in a window; doubled: collapses are seen later
  fewest: 20, // tasks; doubled: the same where durations vary little
  most: 100, // tasks; doubled: the same where they vary much
  collapsed: 0.6, // of the best; chance does not get there twice with 20 tasks; doubled: all is a collapse
  nearShare: 0.3, // of the way to a window of about the same level; doubled: a slow decline is taken for the best
  farShare: 0.1 // of the way to one of another level; doubled: the same across levels
} as const

/** Losses. Watched by backoff.test.ts. */
export const backoff = {
  tolerated: 0.01, // of tasks; doubled: a service that refuses at its knee is overrun for longer
  errors: 1.5, // standard errors beyond what is put up with; doubled: losses go on for longer
  enough: 40, // tasks of a period without losses; doubled: a rare loss counts for longer
  longestPeriod: 5, // times the usual, to get there; doubled: the same
  acceptedMore: 1.2, // times the share that a cut has not lessened; doubled: curable losses are borne
  worst: 0.1, // of tasks is never put up with; doubled: a fifth of all calls may be lost
  few: 20, // tasks served; Little's law varies too much by fewer; doubled: cuts are smaller
  served: 0.97, // of what is being served is cut to; doubled: no cut
  deepest: 0.5, // of the level, at once; doubled: no cut
  fewerTasks: 0.5, // tasks, that few round to one less; doubled: one less of any number
  used: 0.95, // of the cap: less, and it is not what limits; doubled: never comes back
  firstWait: 4000, // ms before the first probe beyond the loss; doubled: fewer losses, later recovery
  longestWait: 60_000, // ms; doubled: the same after many
  longer: 1.8, // times, after each probe that failed; doubled: the same sooner
  belowLoss: 0.9, // of where the loss began: room to return into; doubled: runs into the loss at once
  returnTo: 0.95, // of where it began, quickly; doubled: the same
  returned: 0.5, // of that way in one step; doubled: returns before it shows whether that is too much
  probe: 0.02, // of the cap, beyond; doubled: each probe that fails loses more
  mostStep: 16, // times that; doubled: sooner up, and further beyond
  unknownCooling: 1000, // ms, while durations are unknown; doubled: slots stay empty for longer at first
  forgotten: 2 // times where it began without another: it was of another time; doubled: doubling begins later
} as const
