/**
 * A plant with a process on it that runs a real pool; the process is killed when memory runs out, and begins anew.
 */
import * as AutoscaledPool from "@autoscaled-pool/core/AutoscaledPool"
import * as ClientErrors from "@autoscaled-pool/core/ClientErrors"
import type { ConcurrencySettings } from "@autoscaled-pool/core/ConcurrencySettings"
import type { InvalidOptionsError } from "@autoscaled-pool/core/InvalidOptionsError"
import type { ScalingPolicy } from "@autoscaled-pool/core/ScalingPolicy"
import * as SystemStatus from "@autoscaled-pool/core/SystemStatus"
import * as TaskSource from "@autoscaled-pool/core/TaskSource"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Queue from "effect/Queue"
import * as Record from "effect/Record"
import * as References from "effect/References"
import * as Schedule from "effect/Schedule"
import * as Scheduler from "effect/Scheduler"
import type { SensorFaults } from "../SensorFaults.ts"
import type { Workload } from "../Workload.ts"
import * as arrivals from "./arrivals.ts"
import { type Outcome, Plant, restartMillis } from "./plant.ts"
import * as sensors from "./sensors.ts"
import type { DecisionPoint, SimulationResult, TracePoint } from "./simulationResult.ts"
import { VirtualTime } from "./virtualTime.ts"

const tracePace = Schedule.spaced("500 millis")

export interface WorldOptions {
  readonly workload: Workload
  readonly policy: ScalingPolicy
  readonly settings: Partial<ConcurrencySettings>
  readonly seed: number
  readonly sensorFaults: SensorFaults
}

/** What can be seen of the process while it is up. */
interface Process {
  readonly pool: AutoscaledPool.AutoscaledPool<unknown>
  readonly status: SystemStatus.SystemStatus["Service"]
}

export class World {
  private readonly options: WorldOptions
  private readonly time = new VirtualTime()
  private readonly plant: Plant
  private readonly policy: ScalingPolicy
  private readonly trace: Array<TracePoint> = []
  private readonly decisions: Array<DecisionPoint> = []
  private readonly waits: Array<number> = []
  private readonly life: Fiber.Fiber<never, InvalidOptionsError>
  private arrived = 0
  private process: Process | undefined

  constructor(options: WorldOptions) {
    this.options = options
    this.plant = new Plant(this.time, options.workload, options.seed)
    this.policy = this.recorded(options.policy)
    // The simulated program has a runtime of its own: it must not share the caller's clock, scheduler or loggers.
    this.life = Effect.runForkWith(contextOf(this.time))(this.live)
  }

  /** Lets all happen up to `time`; fails where the simulated program has ended. */
  advanceTo(time: number): Effect.Effect<void, InvalidOptionsError> {
    return Effect.suspend((): Exit.Exit<void, InvalidOptionsError> => {
      this.time.advanceTo(time)
      return this.life.pollUnsafe() ?? Exit.void
    })
  }

  /** Ends the simulated program. */
  end(): void {
    this.life.interruptUnsafe()
    this.time.advanceTo(this.time.now)
  }

  result(): SimulationResult {
    const { kills, inFlight, ledger, peakMemory } = this.plant
    const { killed, rejected, succeeded, succeededMillis, timedOut } = ledger
    return {
      workload: this.options.workload,
      policy: this.options.policy.name,
      seed: this.options.seed,
      trace: this.trace,
      decisions: this.decisions,
      succeeded,
      meanDuration: succeededMillis / Math.max(1, succeeded.length),
      rejected,
      timedOut,
      killed,
      lost: rejected + timedOut + killed,
      unfinished: inFlight,
      kills,
      peakMemory,
      waits: this.waits
    }
  }

  private readonly live = Effect.suspend(() =>
    Effect.flatMap(this.makeSource, (source) => {
      const lifetime = Effect.raceFirst(this.runProcess(source), this.killed)
      const downtime = Effect.suspend(() => {
        this.process = undefined
        return Effect.sleep(restartMillis)
      })
      return Effect.andThen(
        Effect.forkChild(Effect.schedule(this.observe, tracePace)),
        Effect.forever(Effect.andThen(lifetime, downtime))
      )
    })
  )

  /** The items are the moments at which tasks arrived. What has arrived outlives the process, what has started does not. */
  private readonly makeSource = Effect.map(Queue.unbounded<number>(), (queue) => {
    const { seed, workload } = this.options
    if (workload.arrivals.length === 0) return () => TaskSource.fromIterable(endless)
    arrivals.begin(this.time, workload.arrivals, seed, () => {
      this.arrived++
      Queue.offerUnsafe(queue, this.time.now)
    })
    return () => TaskSource.fromQueue(queue)
  })

  private runProcess(source: () => TaskSource.TaskSource<number>): Effect.Effect<never, InvalidOptionsError> {
    const options = { policy: this.policy, concurrencySettings: this.options.settings, loggingInterval: null }
    const program = Effect.gen({ self: this }, function*() {
      const pool = yield* AutoscaledPool.fromSource(source(), this.task, options)
      this.process = { pool, status: yield* SystemStatus.SystemStatus }
      const report = yield* Effect.orDie(pool.run)
      return yield* Effect.die(new Error(`The pool ended its run before the simulation did: ${report.outcome}.`))
    })
    const status = Effect.map(
      sensors.of(this.plant, this.options.sensorFaults),
      (signals) => SystemStatus.layer({ signals })
    )
    return program.pipe(Effect.provide(Layer.provideMerge(Layer.unwrap(status), ClientErrors.layer)))
  }

  private readonly killed = Effect.callback<void>((resume) => {
    this.plant.onKill = () => resume(Effect.void)
  })

  private readonly task = (arrivedAt: number): Effect.Effect<void> =>
    Effect.callback((resume) => {
      if (this.arrived > 0) this.waits.push(this.time.now - arrivedAt)
      const end = (outcome: Outcome) => resume(outcome === "Succeeded" ? Effect.void : ClientErrors.report)
      // A task must not end on the stack of the plant, which is amid a change.
      const running = this.plant.start((outcome) => this.time.defer(() => end(outcome)))
      return Effect.sync(() => this.plant.interrupt(running))
    })

  private readonly observe = Effect.suspend(() =>
    this.process === undefined
      ? Effect.sync(() => this.record(0, {}))
      : Effect.zipWith(this.process.pool.desiredConcurrency, this.process.status.current, (desired, { signals }) =>
        this.record(
          desired,
          Record.map(signals, ({ load }) =>
            load)
        ))
  )

  private record(desired: number, loads: Readonly<Record<string, number>>): void {
    const { inFlight, ledger } = this.plant
    this.trace.push({
      at: this.time.now,
      inFlight,
      desired,
      waiting: this.arrived - this.waits.length,
      succeeded: ledger.succeeded.length,
      memory: this.plant.memoryUse().used,
      loads
    })
  }

  private recorded(policy: ScalingPolicy): ScalingPolicy {
    return {
      ...policy,
      decide: (state, observation) => {
        const answer = policy.decide(state, observation)
        const { current, desired } = observation
        this.decisions.push({ at: this.time.now, desired, current, decision: answer[0] })
        return answer
      }
    }
  }
}

const contextOf = (time: VirtualTime): Context.Context<never> =>
  Context.empty().pipe(
    Context.add(Clock.Clock, time.clock),
    Context.add(Scheduler.Scheduler, time.scheduler),
    Context.add(References.CurrentLoggers, new Set())
  )

/** There is always another task, and it has been there from the beginning. */
const endless: Iterable<number> = {
  *[Symbol.iterator]() {
    while (true) yield 0
  }
}
