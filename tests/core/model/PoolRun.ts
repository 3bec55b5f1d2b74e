/**
 * Runs a program on a real pool under the test clock, and writes down what can be seen.
 */
import { AutoscaledPool, ConcurrencyGovernor, ScalingPolicy, SystemStatus, TaskSource } from "@autoscaled-pool/core"
import { Cause, Data, Duration, Effect, Exit, Fiber, Layer, Logger, Option, Queue, Schedule } from "effect"
import { TestClock } from "effect/testing"
import {
  type Action,
  type Change,
  epilogue,
  inTurn,
  mostItems,
  type Program,
  type StepAction,
  taskOf,
  type TaskSpec
} from "./PoolProgram.ts"
import { makeMoment, nameFailures, nearly, type Observed, type Trace, type View } from "./PoolTrace.ts"

type Script = Extract<Program["policy"], { readonly law: "script" }>

type Seen = "Item" | "Empty" | "Done"

type Pool = AutoscaledPool.AutoscaledPool<unknown>

/** Puts something between the program and its pool: how the property is shown to be able to fail. */
export type Wrap = (pool: Pool) => Pool

/** What a task, a check or a source of a program fails with. */
class Failure extends Data.TaggedError("Failure")<{ readonly name: string }> {}

/** Calls it off: a pool that asks this often is going round in circles. */
const tooMany = 20_000

/** A pool that broke a rule which holds whatever the program. */
export class RuleBroken extends Data.TaggedError("RuleBroken")<{ readonly rule: string }> {}

/**
 * Whose permits the pool of a program takes: its own, or those of a governor, alone, beside a pool that is paused, or beside
 * one that has started the one task it allows itself, which never ends, before anything else happens.
 */
export type Budget = "Own" | "Governor" | "GovernorOfTwo" | "GovernorBesideBusy"

export const execute = (
  program: Program,
  wrap: Wrap = (pool) => pool,
  budget: Budget = "Own"
): Effect.Effect<Trace, RuleBroken> =>
  Effect.suspend(() => Effect.scoped(new PoolRun(program, budget).trace(wrap))).pipe(
    Effect.provide(environment, { local: true })
  )

const environment = Layer.mergeAll(SystemStatus.layerTest, Logger.layer([])).pipe(Layer.provideMerge(TestClock.layer()))

class PoolRun {
  private readonly program: Program
  private readonly budget: Budget
  private starts: Array<string> = []
  private events: Array<string> = []
  private readonly running = new Set<number>()
  private readonly startable = new Set<number>()
  private items: Array<number> = []
  private itemsMade = 0
  private isClosed: boolean
  private questions = 0
  private finals = 0
  private runs = 0
  private isAsking = false
  private isPaused = false
  private isActive = false
  private isEnding = false
  private readonly started = new Set<number>()
  private readonly startsOf = new Map<number, number>()
  private queue!: Queue.Queue<number, Failure | Cause.Done> // made under the test clock, whose scheduler it needs
  private broken: string | undefined
  private now = () => 0
  private pool!: Pool
  private desired = () => 0
  private fiber: Fiber.Fiber<unknown, unknown> | undefined

  constructor(program: Program, budget: Budget) {
    this.program = program
    this.budget = budget
    this.isClosed = program.isClosed || program.from === "iterable"
  }

  readonly trace = Effect.fnUntraced({ self: this }, function*(this: PoolRun, wrap: Wrap) {
    this.now = yield* TestClock.testClockWith((clock) => Effect.succeed(() => clock.currentTimeMillisUnsafe()))
    this.queue = yield* Queue.unbounded<number, Failure | Cause.Done>()
    this.add(this.program.items)
    if (this.isClosed) Queue.endUnsafe(this.queue)
    this.pool = wrap(this.budget === "Own" ? yield* this.makePool(this.ownBudget) : yield* this.makePoolUnderGovernor)
    this.desired = () => Effect.runSync(this.pool.desiredConcurrency)
    const steps = [...this.program.steps, ...epilogue]
    // The driver sleeps like everything else, so that the clock sees to it that each step has settled.
    yield* Effect.forkScoped(
      Effect.forEach(steps, ({ actions, after }) =>
        Effect.andThen(
          Effect.sleep(after),
          Effect.forEach(actions, (action) => this.perform(action))
        ))
    )
    const trace = []
    for (const { after } of steps) {
      yield* TestClock.adjust(after)
      trace.push(makeMoment(this.now(), this.starts, this.events, yield* this.view))
      this.starts = []
      this.events = []
      if (this.broken !== undefined) return yield* new RuleBroken({ rule: this.broken })
    }
    return trace
  })

  private readonly view: Effect.Effect<View> = Effect.suspend(() =>
    Effect.map(this.pool.state, (state) => ({
      inFlight: state.currentConcurrency,
      desired: state.desiredConcurrency,
      phase: state.phase,
      isPaused: state.isPaused,
      pausedUntil: state.pausedUntil,
      started: state.started,
      succeeded: state.succeeded,
      timedOut: state.timedOut,
      failed: state.failed,
      abandoned: state.abandoned,
      retried: state.retried,
      delayed: state.delayed?.tasks ?? 0,
      finalizing: state.finalizing?.tasks ?? 0,
      blockers: state.blocker === undefined ? [] : [state.blocker._tag]
    }))
  )

  // What is done to the pool

  private perform(action: StepAction): Effect.Effect<unknown, never, SystemStatus.TestSystemStatus> {
    const { pool } = this
    switch (action.do) {
      case "nothing":
        return Effect.void
      case "run":
        return this.beginRun
      case "interrupt":
        this.isEnding = true
        return this.fiber === undefined
          ? Effect.void
          : Effect.forkDetach(Fiber.interrupt(this.fiber), { startImmediately: true })
      case "break":
        return Effect.sync(() => {
          if (this.program.from !== "queue" || this.isClosed) return
          this.isClosed = true
          Queue.failCauseUnsafe(this.queue, Cause.fail(new Failure({ name: "queue" })))
        })
      case "signal":
        return Effect.flatMap(SystemStatus.TestSystemStatus, (status) =>
          status.set(action.name, {
            isOverloaded: action.says === "overloaded",
            isStale: action.says === "stale"
          }))
      case "drain":
        this.isEnding = true
        return Effect.forkDetach(Effect.andThen(pool.drain, this.tell("drain returned")), { startImmediately: true })
      case "abort":
        this.isEnding = true
        return Effect.forkDetach(Effect.andThen(pool.abort, this.tell("abort returned")), { startImmediately: true })
      default:
        return this.act(action)
    }
  }

  /** Actions that a task may take too. */
  private act(action: Action): Effect.Effect<unknown> {
    const { pool } = this
    switch (action.do) {
      case "pause":
        return Effect.andThen(Effect.sync(() => void (this.isPaused = true)), pool.pause)
      case "resume":
        return Effect.andThen(Effect.sync(() => void (this.isPaused = false)), pool.resume)
      case "notify":
        return pool.notify
      case "pauseFor":
        return pool.pauseFor(action.millis)
      case "drain":
        return Effect.andThen(Effect.sync(() => void (this.isEnding = true)), pool.drain)
      case "abort":
        return Effect.andThen(
          Effect.andThen(Effect.sync(() => void (this.isEnding = true)), pool.abort),
          Effect.sleep(1)
        ) // by then it has been interrupted
      case "add":
        return Effect.sync(() => this.isClosed && this.program.from !== "checks" ? undefined : this.add(action.count))
      case "close":
        return Effect.sync(() => {
          if (this.isClosed) return
          this.isClosed = true
          Queue.endUnsafe(this.queue)
        })
      case "configure":
        return Effect.catchTag(
          pool.configure(settingsOf(action.change)),
          "InvalidOptionsError",
          () => this.tell("refused")
        )
    }
  }

  private readonly beginRun: Effect.Effect<unknown> = Effect.suspend(() => {
    const number = ++this.runs
    const isFirst = !this.isActive
    if (isFirst) this.isEnding = false
    this.isActive = true
    const run = Effect.onExit(this.pool.run, (exit) => {
      if (isFirst) this.isActive = false
      this.checkEnd(exit)
      return this.tell(`run ${number} ${outcomeOf(exit)}`)
    })
    return Effect.map(Effect.forkDetach(run, { startImmediately: true }), (fiber) => {
      if (fiber.pollUnsafe() === undefined) this.fiber = fiber
    })
  })

  private add(count: number): void {
    for (let n = 0; n < count && this.itemsMade < mostItems; n++) {
      const id = this.itemsMade++
      this.startable.add(id)
      if (this.program.from === "queue") Queue.offerUnsafe(this.queue, id)
      else this.items.push(id)
    }
  }

  // What the pool works on

  /** What a pool has of a budget of its own. */
  private get ownBudget(): Partial<AutoscaledPool.PoolOptions<number | void, Failure>> {
    const { policy } = this.program
    const concurrencySettings = settingsOf(this.program)
    if (policy === null) return { concurrencySettings }
    if (policy.law === "script") return { concurrencySettings, policy: this.scripted(policy) }
    return {
      concurrencySettings,
      autoscaleInterval: policy.every,
      desiredConcurrencyRatio: policy.ratio,
      scaleUpStepRatio: policy.up,
      scaleDownStepRatio: policy.down
    }
  }

  /** The pool under a governor that has the settings and the policy of the program; what changes them is told to it. */
  private readonly makePoolUnderGovernor = Effect.gen({ self: this }, function*() {
    const { policy } = this.program
    const law = policy === null
      ? ScalingPolicy.stepRatio()
      : policy.law === "script"
      ? this.scripted(policy)
      : ScalingPolicy.stepRatio({
        every: policy.every,
        desiredConcurrencyRatio: policy.ratio,
        scaleUpStepRatio: policy.up,
        scaleDownStepRatio: policy.down
      })
    const governor = yield* Effect.orDie(ConcurrencyGovernor.make(settingsOf(this.program), { policy: law }))
    const pool = yield* this.makePool({ governor })
    const under: Pool = Object.assign(Object.create(pool), { configure: governor.configure })
    if (this.budget === "Governor") return under
    const neighbour = yield* Effect.orDie(AutoscaledPool.make({
      runTask: Effect.never,
      isTaskReady: Effect.succeed(true),
      isFinished: Effect.succeed(false),
      concurrencySettings: { maxConcurrency: 1 },
      loggingInterval: null,
      governor
    }))
    if (this.budget === "GovernorBesideBusy") {
      yield* Effect.forkScoped(Effect.ignore(neighbour.run))
      yield* TestClock.adjust(0)
      return under
    }
    yield* neighbour.pause
    // The pool of the program takes part first, and the other one for as long as it does.
    const run = Effect.andThen(
      Effect.forkChild(Effect.ignore(neighbour.run)),
      Effect.ensuring(pool.run, neighbour.abort)
    )
    return Object.assign(under, { run })
  })

  private makePool(
    budget: Partial<AutoscaledPool.PoolOptions<number | void, Failure>>
  ): Effect.Effect<Pool, never, SystemStatus.SystemStatus> {
    const { absorb, askEvery, from, patience, retry, timeout } = this.program
    const options = {
      ...budget,
      maybeRunInterval: askEvery,
      loggingInterval: null,
      ...(timeout > 0 ? { taskTimeout: timeout } : {}),
      ...(patience > 0 ? { finalizerTimeout: patience } : {}),
      ...(retry === null ? {} : { retry: { times: retry.times, schedule: Schedule.spaced(retry.pause) } }),
      ...(absorb === null ? {} : { onTaskTimeout: () => after(absorb.wait, endOf(absorb.end, "absorbed")) })
    } as AutoscaledPool.PoolOptions<number | void, Failure> // spreading a union of options loses which of its members it is
    const task = (id: number) => this.task(id)
    switch (from) {
      case "checks":
        return Effect.orDie(AutoscaledPool.make({
          ...options,
          runTask: Effect.suspend(() => this.task(this.takeItem())),
          isTaskReady: Effect.map(this.ask("ready"), (seen) => seen === "Item"),
          isFinished: Effect.map(this.ask("finished"), (seen) => seen === "Done")
        }))
      case "iterable":
        return Effect.orDie(AutoscaledPool.fromSource(TaskSource.fromIterable(this.items), task, options))
      case "queue":
        return Effect.orDie(AutoscaledPool.fromSource(TaskSource.fromQueue(this.queue), task, options))
      case "pull":
        return Effect.orDie(AutoscaledPool.fromSource(TaskSource.fromPull(this.pull), task, options))
      case "lease":
        return Effect.orDie(AutoscaledPool.fromSource({ take: this.lease }, task, options))
    }
  }

  private scripted({ atStart, decisions, every }: Script): ScalingPolicy.ScalingPolicy<number> {
    return {
      name: "script",
      every: Duration.millis(every),
      decidesAtStart: atStart,
      initial: () => 0,
      decide: (n, observation) => {
        this.events.push(`decides on ${JSON.stringify(observedOf(observation))}`)
        const { allowance, desired } = decisions[n % decisions.length]
        const decision = { desired, reason: { summary: `decision ${n}` } }
        return [allowance < 0 ? decision : { ...decision, startAllowance: allowance }, n + 1]
      }
    }
  }

  private readonly pull = Effect.suspend(() =>
    Effect.flatMap(this.ask("take"), (seen) => {
      if (seen === "Done") return Cause.done()
      return Effect.sync(() => this.items.length > 0 && seen === "Item" ? Option.some(this.takeItem()) : Option.none())
    })
  )

  private readonly lease: TaskSource.TaskSource<number, Failure>["take"] = (handle) =>
    Effect.flatMap(this.ask("take"), (seen) => {
      if (seen !== "Item" || this.items.length === 0) return Effect.succeed(seen === "Done" ? "Done" : "Empty")
      const id = this.takeItem()
      return handle(id).pipe(
        Effect.onExit((exit) => endNameOf(exit) === "interrupt" ? this.takeBack(id) : Effect.void),
        Effect.as("Taken" as const)
      )
    })

  private takeBack(id: number): Effect.Effect<void> {
    return Effect.sync(() => void (this.items = [...this.items, id].toSorted((a, b) => a - b)))
  }

  private takeItem(): number {
    const id = this.items.shift()
    if (id === undefined) this.breaks("a task started for which there was no item")
    return id ?? -1
  }

  /** Looks at what there is, thinks, and then says what it saw. */
  private ask(what: "ready" | "finished" | "take"): Effect.Effect<Seen, Failure> {
    return Effect.suspend(() => {
      const isFinal = what === "finished"
      const number = isFinal ? this.finals++ : this.questions++
      if (number > tooMany) throw new Error(`asked ${number} times`)
      if (what !== "take" && this.isAsking) this.breaks("a check was asked while another was pending")
      this.isAsking = what !== "take"
      if (isFinal && this.running.size > 0 && !this.mayAbandon) this.breaks("isFinished was asked while a task ran")
      this.events.push(what === "take" ? `takes ${number} at ${this.now()}` : `asks ${what} ${number} at ${this.now()}`)
      const seen: Seen = this.items.length > 0 ? "Item" : this.isClosed ? "Done" : "Empty"
      const { finalFault, finals, questionFault, questions } = this.program
      const fault = isFinal ? finalFault : questionFault
      const end = fault?.at === number ? endOf(fault.how, isFinal ? "final" : "question") : Exit.void
      const pending = after(inTurn(isFinal ? finals : questions, number, 0), Effect.as(end, seen))
      return what === "take" ? pending : Effect.ensuring(pending, Effect.sync(() => void (this.isAsking = false)))
    })
  }

  // Tasks

  /** A task, as plain an effect as it can be: one that takes no time and does nothing is its own exit. */
  private task(id: number): Effect.Effect<unknown, Failure> {
    const starts = (this.startsOf.get(id) ?? 0) + 1
    this.startsOf.set(id, starts)
    const spec = taskOf(this.program, id, starts)
    this.checkStart(id)
    this.starts.push(`${id} at ${this.now()}`)
    const isPlain = spec.fixed + spec.wait + spec.cleanup === 0 && spec.act === null
    const end = endOf(spec.end, `task ${id}`)
    if (isPlain) {
      this.ended(id, end)
      if (spec.end === "die") throw new Failure({ name: `task ${id}` })
      return end
    }
    this.running.add(id)
    const body = spec.act === null ? end : Effect.andThen(this.act(spec.act), end)
    const timed = after(spec.wait, body)
    return Effect.onExit(
      spec.fixed > 0 ? Effect.andThen(Effect.uninterruptible(Effect.sleep(spec.fixed)), timed) : timed,
      (exit) => after(spec.cleanup, Effect.sync(() => this.ended(id, exit)))
    )
  }

  private ended(id: number, exit: Exit.Exit<unknown, unknown>): void {
    this.running.delete(id)
    const end = endNameOf(exit)
    // A task whose finalizer is interrupted counts as interrupted, though it had done its work.
    const mayRetry = end === "fail" && this.program.retry !== null
    if (mayRetry || end === "interrupt" || taskOf(this.program, id).cleanup > 0) this.startable.add(id)
    this.events.push(`${id} ${end} at ${this.now()}`)
  }

  /** Whether tasks may run on that the pool has given up. */
  private get mayAbandon(): boolean {
    return this.program.patience > 0
  }

  private checkStart(id: number): void {
    if (!this.startable.delete(id) && !this.mayAbandon) this.breaks(`item ${id} was started twice`)
    if (this.running.size >= this.desired() && !this.mayAbandon) this.breaks("more tasks in flight than desired")
    if (this.isPaused) this.breaks("a task started while paused")
    if (this.isEnding) this.breaks("a task started after the run was told to end")
    this.started.add(id)
  }

  private checkEnd(exit: Exit.Exit<AutoscaledPool.RunReport, unknown>): void {
    if (this.running.size > 0 && !this.mayAbandon && !isAlreadyRunning(exit)) {
      this.breaks("a run ended before its tasks")
    }
    if (Exit.isFailure(exit)) return
    const shares = Object.values(exit.value.blockedShare)
    const sum = shares.reduce((sum, share) => sum + share, 0)
    if (shares.some((share) => share < 0) || sum > 1.000001) this.breaks(`blocked for ${sum} of the time`)
    if (exit.value.outcome === "Finished" && this.hasLostItem()) this.breaks("an item was lost")
  }

  private hasLostItem(): boolean {
    const { from } = this.program
    const waiting = from === "checks" ? this.items.length : 0
    return this.started.size + waiting < this.itemsMade
  }

  private breaks(rule: string): void {
    this.broken ??= rule
  }

  private tell(event: string): Effect.Effect<void> {
    return Effect.sync(() => void this.events.push(event))
  }
}

const after = <A, E>(millis: number, effect: Effect.Effect<A, E>): Effect.Effect<A, E> =>
  millis > 0 ? Effect.andThen(Effect.sleep(millis), effect) : effect

const endOf = (end: TaskSpec["end"], name: string): Exit.Exit<void, Failure> => {
  switch (end) {
    case "succeed":
      return Exit.void
    case "fail":
      return Exit.fail(new Failure({ name }))
    case "die":
      return Exit.die(new Failure({ name }))
    case "interrupt":
      return Exit.interrupt()
  }
}

const endNameOf = (exit: Exit.Exit<unknown, unknown>): TaskSpec["end"] => {
  if (Exit.isSuccess(exit)) return "succeed"
  if (exit.cause.reasons.some(Cause.isFailReason)) return "fail"
  return exit.cause.reasons.some(Cause.isDieReason) ? "die" : "interrupt"
}

const outcomeOf = (exit: Exit.Exit<AutoscaledPool.RunReport, unknown>): string => {
  if (Exit.isSuccess(exit)) {
    const {
      abandoned,
      duration,
      failed,
      interrupted,
      outcome,
      retried,
      peakConcurrency: peak,
      started,
      succeeded,
      timedOut
    } = exit.value
    const mean = nearly(exit.value.meanConcurrency)
    return `${outcome} in ${Duration.toMillis(duration)}: ` +
      JSON.stringify({ started, succeeded, failed, timedOut, interrupted, abandoned, retried, peak, mean })
  }
  const failures = nameFailuresOf(exit.cause)
  if (failures[0] === "AlreadyRunning") return failures[0]
  return failures.length === 0 ? "interrupted" : `fails: ${nameFailures(failures)}`
}

const isAlreadyRunning = (exit: Exit.Exit<unknown, unknown>): boolean =>
  Exit.isFailure(exit) && nameFailuresOf(exit.cause)[0] === "AlreadyRunning"

const nameFailuresOf = (cause: Cause.Cause<unknown>): ReadonlyArray<string> =>
  cause.reasons.flatMap((reason) =>
    Cause.isFailReason(reason)
      ? [nameOf("fail", reason.error)]
      : Cause.isDieReason(reason)
      ? [nameOf("die", reason.defect)]
      : []
  )

const nameOf = (how: "fail" | "die", error: unknown): string => {
  if (error instanceof Failure) return `${how} ${error.name}`
  if (error instanceof AutoscaledPool.TaskTimeoutError) return "timeout"
  if (error instanceof AutoscaledPool.AlreadyRunningError) return "AlreadyRunning"
  return `${how} with ${String(error)}`
}

const observedOf = (observation: ScalingPolicy.Observation): Observed => ({
  at: observation.now,
  desired: observation.desired,
  current: observation.current,
  mean: nearly(observation.meanConcurrency),
  saturated: nearly(observation.saturatedShare),
  ended: observation.completions.count,
  failures: observation.completions.failures,
  timeouts: observation.completions.timeouts,
  fresh: observation.fresh.count,
  ages: observation.inFlightAges
})

const settingsOf = ({ desired, max, min, pace }: Change) => ({
  ...(min === undefined ? {} : { minConcurrency: min }),
  ...(max === undefined ? {} : { maxConcurrency: max }),
  ...(desired === undefined ? {} : { desiredConcurrency: desired }),
  ...(pace === undefined ? {} : { maxTasksPerMinute: pace === 0 ? Infinity : 60_000 / pace })
})
