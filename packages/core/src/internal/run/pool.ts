/**
 * The pool behind the interface: owns the governor, and at most one run at a time.
 */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as PubSub from "effect/PubSub"
import * as Result from "effect/Result"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as Tracer from "effect/Tracer"
import type { AutoscaledPool } from "../../AutoscaledPool.ts"
import type { ConcurrencySettings } from "../../ConcurrencySettings.ts"
import type { InvalidOptionsError } from "../../InvalidOptionsError.ts"
import type { HeldBackKey } from "../../KeyedLimits.ts"
import { AlreadyRunningError } from "../../PoolError.ts"
import type { PoolEvent } from "../../PoolEvent.ts"
import { PoolRegistry } from "../../PoolRegistry.ts"
import type { PoolSnapshot } from "../../PoolSnapshot.ts"
import type { PoolState, RunReport } from "../../PoolState.ts"
import type { BudgetConsumer } from "../budget/consumer.ts"
import type { Feed, FeedHost } from "../feeds/feed.ts"
import * as rules from "../options/rules.ts"
import { CurrentTask } from "../task/currentTask.ts"
import * as monotonic from "../time/monotonic.ts"
import { eachBeat } from "../time/steadyPace.ts"
import * as poolLog from "../views/poolLog.ts"
import { RunSpan } from "../views/runSpan.ts"
import * as snapshots from "../views/snapshots.ts"
import { Dispatcher } from "./dispatcher.ts"
import { Hold } from "./hold.ts"
import type { PoolPlan } from "./poolOptions.ts"
import { RunViews } from "./runViews.ts"
import * as standing from "./standing.ts"
import * as supervision from "./supervision.ts"

/** What a kind of pool adds to the plan: its feed, and what the run must let go of at its end. */
export interface PoolWork<A> {
  readonly makeFeed: (host: FeedHost<A>) => Feed<A>
  readonly onTimeLimit: (item: A) => Effect.Effect<unknown, unknown>
  readonly close: Effect.Effect<void>
  /** How many items there are, where that is known. */
  readonly total: () => number | undefined
  /** The keys that most items wait for, where there are limits per key. */
  readonly heldBackKeys: (() => ReadonlyArray<HeldBackKey>) | undefined
  /** Permits that the task of an item takes, where it is not one. */
  readonly weightOf: ((item: A) => number) | undefined
}

interface ActiveRun<A> {
  readonly ended: Deferred.Deferred<void>
  /** What it was told before it had a dispatcher. */
  told: "Nothing" | "Drain" | "Abort"
  dispatcher: Dispatcher<A> | undefined
  views: RunViews | undefined
}

export class Pool<A, E> implements AutoscaledPool<E> {
  private readonly plan: PoolPlan
  private readonly work: PoolWork<A>
  private readonly governor: BudgetConsumer
  private readonly context: Context.Context<never>
  private readonly published: PubSub.PubSub<PoolEvent>
  private readonly hold = new Hold()
  private active: ActiveRun<A> | undefined

  constructor(
    plan: PoolPlan,
    work: PoolWork<A>,
    governor: BudgetConsumer,
    context: Context.Context<never>,
    published: PubSub.PubSub<PoolEvent>
  ) {
    this.plan = plan
    this.work = work
    this.governor = governor
    this.context = context
    this.published = published
    this.events = Stream.fromPubSub(published)
    governor.attachUnsafe({
      wake: () => this.active?.dispatcher?.wakeLater(),
      report: (event) => this.publish(event),
      ages: (now) => this.active?.dispatcher?.ages(now) ?? []
    })
  }

  readonly events: Stream.Stream<PoolEvent>

  readonly run: Effect.Effect<RunReport, E | AlreadyRunningError> = Effect.acquireUseRelease(
    Effect.suspend(() => {
      if (this.active !== undefined) return Effect.fail(new AlreadyRunningError())
      this.active = { ended: Deferred.makeUnsafe(), told: "Nothing", dispatcher: undefined, views: undefined }
      return Effect.succeed(this.active)
    }),
    (run) =>
      Effect.flatMap(Effect.context<never>(), (context) => Effect.scoped(this.runOnce(run, context))).pipe(
        Effect.withSpan("autoscaled_pool.run", {}, { captureStackTrace: false })
      ),
    (run, exit) =>
      Effect.sync(() => {
        this.publish(
          Exit.isSuccess(exit) ? { _tag: "RunEnded", report: exit.value } : { _tag: "RunFailed", cause: exit.cause }
        )
        this.active = undefined
        Deferred.doneUnsafe(run.ended, Effect.void)
      })
  )

  readonly pause: Effect.Effect<void> = Effect.sync(() => {
    if (this.hold.isPaused) return
    this.hold.isPaused = true
    this.active?.dispatcher?.wakeLater()
    this.publish({ _tag: "Paused" })
  })

  readonly resume: Effect.Effect<void> = Effect.sync(() => {
    if (!this.hold.isPaused) return
    this.hold.isPaused = false
    this.active?.dispatcher?.poke("Notified")
    this.publish({ _tag: "Resumed" })
  })

  readonly pauseFor = (duration: Duration.Input): Effect.Effect<void> =>
    Effect.map(monotonic.monotonicMillis, (now) => {
      const time = Result.getOrThrow(rules.read(rules.duration, "duration", duration))
      if (!this.hold.extend(now + Duration.toMillis(time))) return
      this.active?.dispatcher?.wakeLater()
      this.publish({ _tag: "PausedFor", duration: time })
    })

  readonly abort: Effect.Effect<void> = this.endRun((run) => {
    run.told = "Abort"
    run.dispatcher?.end("Aborted")
  })

  readonly drain: Effect.Effect<void> = this.endRun((run) => {
    if (run.told === "Nothing") run.told = "Drain"
    run.dispatcher?.drain()
  })

  readonly notify: Effect.Effect<void> = Effect.sync(() => this.active?.dispatcher?.poke("Notified"))

  readonly currentConcurrency: Effect.Effect<number> = Effect.sync(() => this.governor.current)

  readonly desiredConcurrency: Effect.Effect<number> = Effect.sync(() => this.governor.desired)

  readonly settings: Effect.Effect<ConcurrencySettings> = Effect.sync(() => this.governor.settings)

  readonly configure = (change: Partial<ConcurrencySettings>): Effect.Effect<void, InvalidOptionsError> =>
    this.governor.configure(change)

  readonly state: Effect.Effect<PoolState> = Clock.clockWith((clock) =>
    Effect.sync(() => {
      const run = this.active?.dispatcher
      const ledger = run?.ledger
      const moment = standing.momentOf(clock)
      const facts = { budget: this.governor, hold: this.hold, run }
      return {
        phase: this.active === undefined ? "Idle" : standing.phaseOf(run?.course),
        isPaused: this.hold.isPaused,
        pausedUntil: standing.pausedUntil(facts, moment),
        currentConcurrency: this.governor.current,
        desiredConcurrency: this.governor.desired,
        blocker: standing.blockerOf(facts, moment),
        started: run?.started ?? 0,
        succeeded: ledger?.succeeded ?? 0,
        failed: ledger?.failed ?? 0,
        timedOut: ledger?.timedOut ?? 0,
        abandoned: ledger?.abandoned ?? 0,
        rejected: ledger?.rejected ?? 0,
        retried: ledger?.retried ?? 0,
        delayed: standing.delayedOf(facts, moment),
        finalizing: standing.finalizingOf(facts, moment),
        system: this.governor.verdictUnsafe(),
        lastDecision: this.governor.lastDecision
      }
    })
  )

  readonly snapshot: Effect.Effect<PoolSnapshot> = Effect.suspend(() => {
    const { views } = this.active ?? {}
    return views === undefined ? this.snapshotBetweenRuns : Effect.sync(() => views.snapshot())
  })

  private readonly snapshotBetweenRuns = Effect.zipWith(
    PoolRegistry,
    monotonic.monotonicMillis,
    (registry, at) =>
      snapshots.take({
        name: this.plan.name,
        at,
        phase: this.active === undefined ? "Idle" : "Running",
        isPaused: this.hold.isPaused,
        budget: this.governor,
        blocker: undefined,
        run: undefined,
        total: undefined,
        heldBackKeys: [],
        decisions: snapshots.noDecisions,
        outcome: undefined,
        before: registry.find(this.plan.name)?.snapshot()
      })
  )

  private readonly runOnce = Effect.fnUntraced({ self: this }, function*(
    this: Pool<A, E>,
    run: ActiveRun<A>,
    context: Context.Context<never>
  ) {
    const now = yield* monotonic.reader
    const dispatcher = new Dispatcher({
      ...this.work,
      governor: this.governor,
      supervision: yield* supervision.make,
      context: this.taskContext(context),
      now,
      later: yield* laterTurns,
      limits: this.plan.limits,
      hold: this.hold,
      warn: (finalizing) => Effect.logWarning(standing.warningOf(finalizing, this.plan.limits.finalizerTimeout)),
      warnOfQuestions: this.warnOfSource
    })
    run.dispatcher = dispatcher
    if (run.told === "Abort") dispatcher.end("Aborted")
    else if (run.told === "Drain") dispatcher.drain()
    yield* Effect.addFinalizer(() => warnOfSuppressed(dispatcher))
    yield* Effect.addFinalizer(() => this.closeSource(dispatcher))
    yield* this.show(run, dispatcher, now)
    this.publish({ _tag: "RunStarted" })

    yield* Effect.onError(
      this.governor.enter,
      (cause) =>
        Effect.sync(() => Cause.hasInterruptsOnly(cause) ? dispatcher.end("Interrupted") : dispatcher.fail(cause))
    )
    yield* supervise(dispatcher, this.governor.regulate)
    if (dispatcher.isOpaque) yield* supervise(dispatcher, this.keepAsking(dispatcher))
    yield* drained(dispatcher)

    // Whatever can fail a run fails with E: the constructors of AutoscaledPool see to that.
    if (dispatcher.course.failure !== undefined) {
      return yield* Effect.failCause(dispatcher.course.failure as Cause.Cause<E>)
    }
    return reportOf(dispatcher, now())
  })

  private readonly warnOfSource = (waited: number): Effect.Effect<void> =>
    Effect.logWarning(standing.sourceWarningOf(waited, this.plan.limits.finalizerTimeout))

  /** Waits until the source has let go of what it holds open, but not for longer than for finalizers: it goes on by itself then. */
  private readonly closeSource = Effect.fnUntraced({ self: this }, function*(
    this: Pool<A, E>,
    dispatcher: Dispatcher<A>
  ) {
    const fiber = yield* Effect.forkDetach(this.work.close, { startImmediately: true })
    if (fiber.pollUnsafe() !== undefined) return yield* Fiber.join(fiber)
    const now = dispatcher.now()
    dispatcher.ledger.rest(now, "Finalizing")
    const { untilEnd, untilWarning, waited } = dispatcher.patience.at(now)
    const closedWithin = (millis: number) => Effect.timeoutOption(Effect.interruptible(Fiber.join(fiber)), millis)
    if (untilWarning < Infinity) {
      if (Option.isSome(yield* closedWithin(untilWarning))) return
      yield* this.warnOfSource(waited + untilWarning)
    }
    if (untilEnd === Infinity) return yield* Fiber.join(fiber)
    yield* closedWithin(untilWarning < Infinity ? untilEnd - untilWarning : untilEnd)
  })

  private readonly keepAsking = (dispatcher: Dispatcher<A>) =>
    eachBeat(this.plan.maybeRunInterval, () => dispatcher.pass())

  /** Shows the run to whoever looks, until it has ended. */
  private readonly show = Effect.fnUntraced({ self: this }, function*(
    this: Pool<A, E>,
    run: ActiveRun<A>,
    dispatcher: Dispatcher<A>,
    now: () => number
  ) {
    const clock = yield* Clock.Clock
    const span = yield* Effect.orDie(Effect.currentSpan) // `run` has opened one
    const builtIn = Option.getOrUndefined(Context.getOption(this.context, Tracer.ParentSpan))
    const facts = { budget: this.governor, hold: this.hold, run: dispatcher }
    const views = new RunViews(
      {
        run: dispatcher,
        budget: this.governor,
        isPaused: () => this.hold.isPaused,
        blocker: () => standing.blockerOf(facts, standing.momentOf(clock)),
        total: this.work.total,
        heldBackKeys: () => this.work.heldBackKeys?.() ?? [],
        now
      },
      yield* PoolRegistry,
      { name: this.plan.name, controls: this },
      (name) => new RunSpan(span, clock, name, this.governor.policy, builtIn)
    )
    run.views = views
    yield* Effect.addFinalizer(() => Effect.ensuring(this.logEnd(views, dispatcher), views.leave))
    const { loggingInterval } = this.plan
    if (loggingInterval === null) return
    yield* this.logLines(views, [views.log.began(views.snapshot())])
    const look = Effect.suspend(() =>
      this.logLines(views, views.log.look(views.snapshot(), Duration.toMillis(loggingInterval)))
    )
    const pace = poolLog.pace(() => this.governor.current > 0, dispatcher.ledger.changed)
    yield* supervise(dispatcher, Effect.schedule(look, pace))
  })

  private logEnd(views: RunViews, { course }: Dispatcher<A>): Effect.Effect<void> {
    if (this.plan.loggingInterval === null) return Effect.void
    return Effect.suspend(() =>
      this.logLines(views, [views.log.ended(course.ending ?? "Interrupted", views.snapshot())])
    )
  }

  private logLines({ name }: RunViews, lines: ReadonlyArray<poolLog.LogLine>): Effect.Effect<void> {
    return Effect.forEach(
      lines,
      ({ level, text }) => level === "Info" ? Effect.logInfo(text) : Effect.logDebug(text),
      { discard: true }
    ).pipe(Effect.annotateLogs("pool", name))
  }

  private publish(event: PoolEvent): void {
    // Not `publishUnsafe`: where a reader has fallen behind, it refuses the newest event, and to every reader.
    Effect.runSync(PubSub.publish(this.published, event))
    this.active?.views?.tell(event)
  }

  /** Ends the run, and waits for the end unless it is a part of the run that asks. */
  private endRun(tell: (run: ActiveRun<A>) => void): Effect.Effect<void> {
    return Effect.withFiber((fiber) => {
      const run = this.active
      if (run === undefined) return Effect.void
      tell(run)
      // Whoever is a part of the run ends with it, and cannot wait for its own end.
      const runs = fiber.getRef(CurrentTask)?.runs
      const isInside = run.dispatcher !== undefined && runs?.includes(run.dispatcher) === true
      return isInside ? Effect.void : Deferred.await(run.ended)
    })
  }

  /** Services are those of where the pool was built; the span and the task that its tasks are in, of where it runs. */
  private taskContext(ofRun: Context.Context<never>): Context.Context<never> {
    const context = Context.merge(ofRun, Context.omit(CurrentTask)(this.context))
    const span = Context.getOption(ofRun, Tracer.ParentSpan)
    return span._tag === "Some" ? Context.add(context, Tracer.ParentSpan, span.value) : context
  }
}

/** A finalizer here, because the interruption of a run leaves out whatever follows its end. */
const warnOfSuppressed = <A>({ course: { suppressed } }: Dispatcher<A>): Effect.Effect<void> =>
  suppressed === undefined
    ? Effect.void
    : Effect.logWarning("Failures of tasks that were interrupted because their run ended", suppressed)

const laterTurns = Effect.withFiber((fiber) => {
  const turns = fiber.currentDispatcher
  return Effect.succeed((turn: () => void) => turns.scheduleTask(turn, 0))
})

/** Runs beside the tasks for as long as the run does; a failure of it ends the run. */
const supervise = <A>(
  dispatcher: Dispatcher<A>,
  effect: Effect.Effect<unknown, unknown>
): Effect.Effect<unknown, never, Scope.Scope> =>
  Effect.forkScoped(Effect.catchCause(effect, (cause) => Effect.sync(() => dispatcher.fail(cause))))

/** Begins the run and waits until nothing is left of it; interrupting the wait interrupts the run. */
const drained = <A>(dispatcher: Dispatcher<A>): Effect.Effect<void> =>
  Effect.callback((resume) => {
    dispatcher.begin(() => resume(Effect.void))
    return Effect.callback((resume) => dispatcher.interrupt(() => resume(Effect.void)))
  })

const reportOf = <A>(dispatcher: Dispatcher<A>, now: number): RunReport => {
  const { course, ledger } = dispatcher
  const millis = now - ledger.startedAt
  const share = (time: number) => millis > 0 ? time / millis : 0
  return {
    outcome: course.ending === "Aborted" || course.ending === "Drained" ? course.ending : "Finished",
    started: dispatcher.started,
    succeeded: ledger.succeeded,
    failed: ledger.failed,
    timedOut: ledger.timedOut,
    interrupted: ledger.interrupted,
    abandoned: ledger.abandoned,
    rejected: ledger.rejected,
    retried: ledger.retried,
    duration: Duration.millis(millis),
    meanConcurrency: dispatcher.meanConcurrency(now),
    peakConcurrency: dispatcher.peakConcurrency,
    blockedShare: Object.fromEntries([...ledger.blockedTimes(now)].map(([tag, time]) => [tag, share(time)]))
  }
}
