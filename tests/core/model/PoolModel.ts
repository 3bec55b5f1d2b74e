/**
 * The reference model of a pool: plain, obvious and slow.
 *
 * It keeps a list of what is due, takes the earliest, lets it happen, and then applies one rule after the other until
 * none applies. It knows nothing of fibers. Where the contract leaves an order open (what is due at the same moment, what
 * happens between two actions of one turn) the model asks which it is to be, so that all permitted traces can be tried.
 */
import {
  type Action,
  epilogue,
  inTurn,
  mostItems,
  type Program,
  type StepAction,
  taskOf,
  type TaskSpec
} from "./PoolProgram.ts"
import { makeMoment, type Moment, nameFailures, nearly, type Observed, type View } from "./PoolTrace.ts"

/**
 * Decides what the contract leaves open.
 *
 * - `choose`: one of `count` things that may be.
 * - `nextStart`: which item starts, where any of `items` may; `n` tasks have started before.
 */
export interface Oracle {
  readonly choose: (count: number) => number
  readonly nextStart: (items: ReadonlyArray<number>, n: number) => number
}

/** What else takes permits of the same budget: nothing, or a task that never ends and has one from before the first run on. */
export type Neighbour = "None" | "HoldsOne"

const firstOfAll: Oracle = { choose: () => 0, nextStart: (items) => items[0] }

/** Something that happens by itself at a time; `since` tells apart what is due at the same one. */
interface Due {
  readonly kind: "step" | "task" | "limit" | "question" | "ask" | "decision" | "token" | "hold" | "retry"
  readonly at: number
  readonly since: number
  readonly happen: () => void
}

/** A task that failed and waits for its next try. */
interface Delayed {
  readonly id: number
  /** The number of the try that comes next. */
  readonly attempt: number
  readonly dueAt: number
  readonly since: number
}

interface Running {
  readonly id: number
  readonly attempt: number
  readonly spec: TaskSpec
  readonly startedAt: number
  readonly limitSince: number
  /** Where it is, until `at`; a finalizer and a fixed part let no interruption in. */
  part: "fixed" | "wait" | "cleanup" | "absorb"
  at: number
  since: number
  /** Interrupted by the end of the run or by its time limit, whether or not it has noticed. */
  isInterrupted: boolean
  interruptedAt: number
  isLate: boolean
  /** Stands in for a task whose finalizers were given up. */
  isHeir: boolean
  end: "succeed" | "fail" | "die" | "interrupt"
}

/** A question that has been asked and not been answered; `sees` is what there was when it was asked. */
interface Question {
  readonly number: number
  readonly at: number
  readonly since: number
  readonly sees: "Item" | "Empty" | "Done"
  isOutdated: boolean
  /** The user has said since that there may be an item. */
  isNoticed: boolean
}

interface Run {
  readonly number: number
  readonly startedAt: number
  readonly running: Array<Running>
  readonly failures: Array<string>
  readonly takes: Array<Question>
  readonly arrived: Array<number>
  readonly delayed: Array<Delayed>
  /** What has arrived was looked for to learn whether any is left, while only the pace was against it. */
  isAhead: boolean
  phase: "Running" | "Draining" | "Finished" | "Failing" | "Aborting"
  isInterrupted: boolean
  readiness: "Unknown" | "Yes" | "No" | Question
  finality: "Unknown" | "Yes" | "No" | Question
  saidEmpty: boolean
  saidDone: boolean
  /** How many takes may be out, and whether one has been answered since it was looked at last. */
  width: number
  hasAnswered: boolean
  isAwaitingQueue: boolean
  nextAsk: { at: number; since: number }
  abortsWaiting: number
  drainsWaiting: number
  started: number
  succeeded: number
  failed: number
  retried: number
  timedOut: number
  interrupted: number
  abandoned: number
  peak: number
  /** Tasks in flight, times milliseconds. */
  area: number
}

/** How often the default law decides. */
const usualPace = 10_000

/** Calls it off: more happens at one moment than a program can bring about. */
const tooMuch = 5_000

export class PoolModel {
  private readonly program: Program
  private readonly oracle: Oracle
  private now = 0
  private registered = 0
  private starts: Array<string> = []
  private startsMade = 0
  private readonly startsOf = new Map<number, number>()
  private events: Array<string> = []
  private readonly signals = { cpu: "idle", memory: "idle" }
  private isIdle = true
  private isPaused = false
  private heldUntil = 0
  /** Tasks that the pool has given up, which go on by themselves. */
  private readonly abandoned: Array<Running> = []
  private min: number
  private max: number
  private pace: number
  private desired: number
  private allowance = Infinity
  private lastPacedStart = -Infinity
  private decisions = 0
  private desiredSince = 0
  /** What a policy is shown of the time since its last decision. */
  private observed = nothingObserved(0)
  private items: Array<number> = []
  private returned: Array<number> = []
  private itemsMade = 0
  private isClosed = false
  private isBroken = false
  private questions = 0
  private finals = 0
  private run: Run | undefined
  private runs = 0
  /** Permits that somebody else holds all the time; then the policy is asked between runs too. */
  private held = 0
  private nextDecision: { at: number; since: number } | undefined

  constructor(program: Program, oracle: Oracle = firstOfAll, neighbour: Neighbour = "None") {
    this.program = program
    this.oracle = oracle
    this.min = program.min
    this.max = program.max
    this.pace = program.pace
    this.desired = this.clamp(program.desired)
    this.add(program.items)
    this.isClosed = program.isClosed || program.from === "iterable"
    if (neighbour === "HoldsOne") this.letHold()
  }

  private letHold(): void {
    this.decideLater()
    this.beginDeciding()
    this.held = 1
    this.allowance--
    if (this.pace > 0) this.lastPacedStart = this.now
  }

  /** Lives through the program, and tells of each step. */
  *moments(): Generator<Moment> {
    for (const { actions, after } of [...this.program.steps, ...epilogue]) {
      const until = this.now + after
      let areLimitsTogether = false
      let step: Due | undefined = {
        kind: "step",
        at: until,
        since: this.register(),
        happen: () => this.takeTurn(actions)
      }
      while (true) {
        const due: ReadonlyArray<Due> = [...this.due(), ...(step === undefined ? [] : [step])]
        const at = Math.min(...due.map(({ at }) => at))
        if (at > until) break
        const all = firstOfEachKind(due.filter((due) => due.at === at).toSorted((a, b) => a.since - b.since))
        const ties: ReadonlyArray<Due> = areLimitsTogether ? all.filter(({ kind }) => kind === "limit") : all
        const next: Due = ties[ties.length > 1 ? this.oracle.choose(ties.length) : 0]
        this.passTime(at)
        if (next === step) step = undefined
        next.happen()
        areLimitsTogether = next.kind === "limit" && this.isLimitDue() && this.oracle.choose(2) === 1
        if (!areLimitsTogether) this.settle()
      }
      this.passTime(until)
      yield makeMoment(until, this.starts, this.events, this.view())
      this.starts = []
      this.events = []
    }
  }

  /** Whether another task is at a limit too: whether anything starts between the two is nobody's promise. */
  private isLimitDue(): boolean {
    return this.due().some(({ at, kind }) => kind === "limit" && at === this.now)
  }

  private passTime(until: number): void {
    const millis = until - this.now
    const current = this.run?.running.length ?? 0
    const inUse = current + this.held
    this.observed.area += inUse * millis
    if (inUse >= 0.9 * this.desired) this.observed.saturated += millis
    if (this.run !== undefined) this.run.area += current * millis
    this.now = until
  }

  // What is done to the pool

  /** Whether anything starts between two actions of one turn, and when in it a verdict arrives, is nobody's promise. */
  private takeTurn(actions: ReadonlyArray<StepAction>): void {
    let isUnheard = false
    actions.forEach((action, index) => {
      this.perform(action)
      const isLast = index === actions.length - 1
      if (action.do === "signal") {
        isUnheard = actions.length > 1 && this.oracle.choose(2) === 0
        if (!isUnheard) this.hearSignals()
      }
      if (!isLast && this.oracle.choose(2) === 1) this.settle()
    })
    if (!isUnheard) return
    this.settle()
    this.hearSignals()
  }

  private perform(action: StepAction): void {
    switch (action.do) {
      case "run":
        return this.begin()
      case "interrupt":
        if (this.run === undefined) return
        this.run.isInterrupted = true
        return this.end(this.run, "Aborting")
      case "break":
        if (this.program.from === "queue" && !this.isClosed) this.isClosed = this.isBroken = true
        return
      case "signal":
        this.signals[action.name] = action.says
        return
      case "drain":
        if (this.run === undefined) this.events.push("drain returned")
        else this.run.drainsWaiting++
        return this.act(action)
      case "abort":
        if (this.run === undefined) this.events.push("abort returned")
        else this.run.abortsWaiting++
        return this.act(action)
      case "nothing":
        return
      default:
        return this.act(action)
    }
  }

  /** Actions that a task may take too. */
  private act(action: Action, actor?: Running): void {
    switch (action.do) {
      case "pause":
        this.isPaused = true
        return
      case "resume":
        if (!this.isPaused) return
        this.isPaused = false
        return this.news("Notified")
      case "notify":
        return this.news("Notified")
      case "pauseFor":
        this.heldUntil = Math.max(this.heldUntil, this.now + action.millis)
        return
      case "drain":
        return this.run === undefined ? undefined : this.drain(this.run)
      case "abort":
        if (this.run === undefined) return
        return this.end(this.run, "Aborting", actor)
      case "add":
        // Who is asked whether all is finished may have more to do later on; a source that is done may not.
        return this.isClosed && this.program.from !== "checks" ? undefined : this.add(action.count)
      case "close":
        this.isClosed = true
        return
      case "configure": {
        const { desired = this.desired, max = this.max, min = this.min, pace = this.pace } = action.change
        if (max < min) return void this.events.push("refused")
        this.min = min
        this.max = max
        this.pace = pace
        this.desire(desired)
      }
    }
  }

  private add(count: number): void {
    for (let n = 0; n < count && this.itemsMade < mostItems; n++) this.items.push(this.itemsMade++)
  }

  private hearSignals(): void {
    this.isIdle = this.signals.cpu !== "overloaded" && this.signals.memory !== "overloaded"
  }

  private desire(concurrency: number): void {
    const desired = this.clamp(concurrency)
    if (desired === this.desired) return
    this.desired = desired
    this.desiredSince = this.now
    this.observed.ended = this.observed.ended.map((ended) => ({ ...ended, isFresh: false }))
  }

  private clamp(concurrency: number): number {
    return Math.min(this.max, Math.max(this.min, concurrency))
  }

  // The course of a run

  private begin(): void {
    const number = ++this.runs
    if (this.run !== undefined) return void this.events.push(`run ${number} AlreadyRunning`)
    const { askEvery } = this.program
    if (this.held === 0) this.decideLater()
    this.run = {
      number,
      startedAt: this.now,
      running: [],
      failures: [],
      takes: [],
      arrived: [],
      delayed: [],
      isAhead: false,
      phase: "Running",
      isInterrupted: false,
      readiness: "Unknown",
      finality: "Unknown",
      saidEmpty: false,
      saidDone: false,
      width: Infinity,
      hasAnswered: false,
      isAwaitingQueue: false,
      nextAsk: { at: this.nextBeat(askEvery), since: this.register() },
      abortsWaiting: 0,
      drainsWaiting: 0,
      started: 0,
      succeeded: 0,
      failed: 0,
      retried: 0,
      timedOut: 0,
      interrupted: 0,
      abandoned: 0,
      peak: 0,
      area: 0
    }
    if (this.held === 0) this.beginDeciding()
  }

  /** Begins to observe; a law may decide at once. */
  private beginDeciding(): void {
    const { policy } = this.program
    this.observed = nothingObserved(this.now)
    this.hearSignals()
    if (policy?.law === "script" && policy.atStart) this.decide()
  }

  private decideLater(): void {
    this.nextDecision = { at: this.now + (this.program.policy?.every ?? usualPace), since: this.register() }
  }

  /** No more starts: what runs is interrupted, and the run is over when nothing is left of it. */
  private end(run: Run, phase: Exclude<Run["phase"], "Running" | "Draining">, actor?: Running): void {
    if (isEnding(run)) return
    run.phase = phase
    this.startNoMore(run)
    const others = run.running.filter((task) => task !== actor)
    for (const task of actor === undefined ? others : [...others, actor]) this.interrupt(run, task)
  }

  /** No more starts: what runs may end by itself. */
  private drain(run: Run): void {
    if (run.phase !== "Running") return
    run.phase = "Draining"
    this.startNoMore(run)
  }

  private startNoMore(run: Run): void {
    run.readiness = run.finality = "Unknown"
    run.takes.splice(0)
    this.giveBack(run.arrived.splice(0))
    this.giveBack(run.delayed.splice(0).map(({ id }) => id))
  }

  private fail(run: Run, failure: string): void {
    if (!isEnding(run)) {
      run.failures.push(failure)
      this.end(run, "Failing")
    } else if (run.phase === "Failing" && failure !== "interrupt") {
      run.failures.push(failure)
    }
  }

  private close(run: Run): void {
    this.run = undefined
    if (this.held === 0) this.nextDecision = undefined
    for (let n = 0; n < run.abortsWaiting; n++) this.events.push("abort returned")
    for (let n = 0; n < run.drainsWaiting; n++) this.events.push("drain returned")
    this.events.push(`run ${run.number} ${this.outcomeOf(run)}`)
  }

  private outcomeOf(run: Run): string {
    if (run.isInterrupted) return "interrupted"
    if (run.phase === "Failing") {
      const failures = run.failures.filter((failure) => failure !== "interrupt")
      return failures.length === 0 ? "interrupted" : `fails: ${nameFailures(failures)}`
    }
    const { abandoned, failed, interrupted, peak, retried, started, succeeded, timedOut } = run
    const outcome = run.phase === "Aborting" ? "Aborted" : run.phase === "Draining" ? "Drained" : "Finished"
    const millis = this.now - run.startedAt
    const mean = nearly(millis > 0 ? run.area / millis : 0)
    return `${outcome} in ${millis}: ` +
      JSON.stringify({ started, succeeded, failed, timedOut, interrupted, abandoned, retried, peak, mean })
  }

  // The rules

  private settle(): void {
    for (let applied = 0; this.applyOne(); applied++) {
      if (applied > tooMuch) throw new Error("the model does not come to rest")
    }
  }

  /** The first rule that applies; whether there was one. */
  private applyOne(): boolean {
    const run = this.run
    if (run === undefined) return false
    if (run.phase === "Draining" && this.queueBreaksLate(run)) return does(this.fail(run, "fail queue"))
    if (run.phase !== "Running") return run.running.length === 0 ? does(this.close(run)) : false
    if (run.isAwaitingQueue && this.queueHasBroken(run)) return does(this.fail(run, "fail queue"))
    if (this.holds(run)) return does(run.isAhead = true)
    if (run.isAhead && this.mayStart()) return does(this.start(run))
    if (this.mayStart() && this.firstDue(run) !== undefined) return does(this.start(run, this.firstDue(run)))
    if (this.queueHasBroken(run)) return does(this.fail(run, "fail queue"))
    if (this.isLeased() && this.mayLook(run) && this.look(run)) return true // each free slot takes for itself
    if (this.mayStart() && this.hasItem(run)) return does(this.start(run))
    if (this.mayLook(run) && this.look(run)) return true
    if (this.mayLook(run) && run.running.length === 0 && this.finish(run)) return true
    return this.program.from === "lease" && this.withdrawSurplus(run)
  }

  /** All that can keep one more task from starting. */
  private closedBy(ahead = 0): Array<string> {
    const current = (this.run?.running.length ?? 0) + this.held + ahead
    const isAboveMinimum = current >= this.min
    return [
      this.isPaused ? "Paused" : "",
      this.heldUntil > this.now ? "Held" : "",
      current >= this.desired ? "AtDesired" : "",
      isAboveMinimum && !this.isIdle ? "Overloaded" : "",
      isAboveMinimum && this.allowance - ahead < 1 ? "StartAllowanceSpent" : "",
      this.isPaced(ahead) ? "RateLimited" : ""
    ].filter((reason) => reason !== "")
  }

  private isPaced(ahead: number): boolean {
    return this.pace > 0 && (ahead > 0 || this.lastPacedStart + this.pace > this.now)
  }

  private mayStart(): boolean {
    return this.closedBy().length === 0
  }

  /** Work is looked for where it could start, and where only the time is against it but it may be that none is left. */
  private mayLook(run: Run): boolean {
    if (this.mayStart()) return true
    const hasNext = run.running.length > 0 || run.arrived.length > 0 || this.firstDue(run) !== undefined
    return !hasNext && this.isClosedByTime()
  }

  private isClosedByTime(): boolean {
    const reasons = this.closedBy()
    if (reasons.includes("Held")) return !this.isPaused
    return reasons.every((reason) => reason === "RateLimited")
  }

  private isLeased(): boolean {
    return this.program.from === "pull" || this.program.from === "lease"
  }

  /** Whether what has arrived is what starts next, because only the time is against it. */
  private holds(run: Run): boolean {
    if (run.isAhead || run.arrived.length === 0 || run.running.length > 0 || this.mayStart()) return false
    return this.firstDue(run) === undefined && this.isClosedByTime()
  }

  private firstDue(run: Run): Delayed | undefined {
    const due = run.delayed.filter(({ dueAt }) => dueAt <= this.now)
    return due.toSorted((a, b) => a.dueAt - b.dueAt || a.since - b.since)[0]
  }

  private hasItem(run: Run): boolean {
    if (this.program.from === "checks") return run.readiness === "Yes"
    return this.isLeased() ? run.arrived.length > 0 : this.available > 0
  }

  /** Ends the run if nothing is left, or asks whether that is so; whether there was any need to. */
  private finish(run: Run): boolean {
    if (run.delayed.length > 0) return false
    if (this.program.from !== "checks") return this.isDry(run) ? does(this.end(run, "Finished")) : false
    if (run.readiness !== "No") return false
    if (run.finality === "Yes") return does(this.end(run, "Finished"))
    return run.finality === "Unknown" ? does(this.askWhetherFinished(run)) : false
  }

  private isDry(run: Run): boolean {
    if (run.arrived.length > 0) return false
    if (this.isLeased()) return run.saidDone && run.takes.length === 0
    return this.available === 0 && this.isClosed && !this.isBroken
  }

  /** Looks for work; whether there was any need to. */
  private look(run: Run): boolean {
    switch (this.program.from) {
      case "checks":
        if (run.readiness !== "Unknown" || typeof run.finality === "object") return false
        return does(this.askWhetherReady(run))
      case "queue":
        if (this.lookAhead(run)) return true
        if (run.isAwaitingQueue || run.isAhead || this.available > 0 || this.isClosed) return false
        return does(run.isAwaitingQueue = true)
      case "iterable":
        return this.lookAhead(run)
      default:
        if (run.takes.length + run.arrived.length >= this.room(run) || run.saidEmpty || run.saidDone) return false
        if (run.takes.length >= run.width) return false
        return does(this.take(run))
    }
  }

  /** Holds the next item, to learn whether any is left, while only the time is against a start. */
  private lookAhead(run: Run): boolean {
    return this.mayStart() || run.isAhead || this.available === 0 ? false : does(this.arrive(run))
  }

  private queueHasBroken(run: Run): boolean {
    if (run.isAwaitingQueue && this.available + Number(this.isClosed) > 0) {
      run.isAwaitingQueue = false
      return this.isBroken && this.available === 0
    }
    return this.isBroken && this.available === 0 && this.mayLook(run)
  }

  /** A queue that breaks in the turn in which the run is drained may be heard or not. */
  private queueBreaksLate(run: Run): boolean {
    const { isAwaitingQueue } = run
    run.isAwaitingQueue = false
    return isAwaitingQueue && this.isBroken && this.available === 0 && this.oracle.choose(2) === 1
  }

  private withdrawSurplus(run: Run): boolean {
    if (run.takes.length === 0 || run.takes.length + run.arrived.length <= this.room(run)) return false
    return does(run.takes.pop())
  }

  /** How many tasks could start now, if there were enough items. */
  private room(run: Run): number {
    let room = 0
    while (this.closedBy(room).length === 0) room++
    return room === 0 && this.mayLook(run) ? 1 : room
  }

  // Questions

  private ask(delays: ReadonlyArray<number>, number: number): Question {
    const sees = this.available > 0 ? "Item" : this.isClosed ? "Done" : "Empty"
    return {
      number,
      at: this.now + inTurn(delays, number, 0),
      since: this.register(),
      sees,
      isOutdated: false,
      isNoticed: false
    }
  }

  private askWhetherReady(run: Run): void {
    const question = this.ask(this.program.questions, this.questions++)
    this.events.push(`asks ready ${question.number} at ${this.now}`)
    run.readiness = question
    if (question.at === this.now) this.answerReady(run, question)
  }

  private answerReady(run: Run, { isOutdated, number, sees }: Question): void {
    const { questionFault } = this.program
    if (questionFault?.at === number) return this.fail(run, `${questionFault.how} question`)
    run.readiness = sees === "Item" ? "Yes" : isOutdated ? "Unknown" : "No"
  }

  private askWhetherFinished(run: Run): void {
    const question = this.ask(this.program.finals, this.finals++)
    this.events.push(`asks finished ${question.number} at ${this.now}`)
    run.finality = question
    if (question.at === this.now) this.answerFinished(run, question)
  }

  private answerFinished(run: Run, { isOutdated, number, sees }: Question): void {
    const { finalFault } = this.program
    if (finalFault?.at === number) return this.fail(run, `${finalFault.how} final`)
    run.finality = sees === "Done" && !isOutdated ? "Yes" : "No"
    if (isOutdated) this.news("Notified")
  }

  private take(run: Run): void {
    // A pull is not asked while the source keeps something that it has given.
    if (this.program.from === "pull" && this.returned.length > 0) return this.arrive(run)
    const question = this.ask(this.program.questions, this.questions++)
    this.events.push(`takes ${question.number} at ${this.now}`)
    run.takes.push(question)
    if (question.at === this.now) this.answerTake(run, question)
  }

  private answerTake(run: Run, question: Question): void {
    const { questionFault } = this.program
    run.takes.splice(run.takes.indexOf(question), 1)
    if (questionFault?.at === question.number) return this.fail(run, `${questionFault.how} question`)
    if (question.sees === "Done") run.saidDone = true
    else if (question.sees === "Item" && this.available > 0) this.arrive(run)
    else this.miss(run, question)
  }

  private miss(run: Run, { isNoticed, isOutdated }: Question): void {
    if (!isOutdated) run.saidEmpty = true
    if (isNoticed) return
    run.width = 1
    run.hasAnswered = true
  }

  private arrive(run: Run): void {
    run.isAhead = !this.mayStart() && this.mayLook(run)
    run.arrived.push(this.nextItem(run.arrived.length))
    run.width++
    run.hasAnswered = true
    run.saidEmpty = false
  }

  /** What was answered before may no longer be so. */
  private news(what: "TaskEnded" | "Notified" | "Interval"): void {
    const run = this.run
    if (run === undefined) return
    if (what !== "Interval") {
      for (const question of [run.readiness, run.finality, ...run.takes]) {
        if (typeof question === "object") question.isOutdated = true
      }
    }
    if (what === "Notified") { for (const take of run.takes) take.isNoticed = true }
    if (what === "Interval") {
      if (!run.hasAnswered && run.takes.length > 0) run.width *= 2
      run.hasAnswered = run.takes.length === 0
    }
    if (run.readiness === "No") run.readiness = "Unknown"
    if (run.finality === "No" || run.finality === "Yes") run.finality = "Unknown"
    run.saidEmpty = false
  }

  // Tasks

  private start(run: Run, due?: Delayed): void {
    if (due !== undefined) run.delayed.splice(run.delayed.indexOf(due), 1)
    const id = due?.id ?? run.arrived.shift() ?? this.nextItem()
    if (this.program.from === "checks") run.readiness = "Unknown"
    if (due !== undefined) run.retried++
    const starts = (this.startsOf.get(id) ?? 0) + 1
    this.startsOf.set(id, starts)
    const spec = taskOf(this.program, id, starts)
    const { fixed, wait } = spec
    const task: Running = {
      id,
      attempt: due?.attempt ?? 1,
      spec,
      startedAt: this.now,
      part: fixed > 0 ? "fixed" : "wait",
      at: this.now + (fixed > 0 ? fixed : wait),
      since: this.register(),
      isInterrupted: false,
      interruptedAt: Infinity,
      isLate: false,
      isHeir: false,
      limitSince: this.register(),
      end: spec.end
    }
    this.startsMade++
    if (due === undefined) run.isAhead = false
    this.starts.push(`${id} at ${this.now}`)
    this.allowance--
    if (this.pace > 0) this.lastPacedStart = this.now
    run.started++
    run.running.push(task)
    run.peak = Math.max(run.peak, run.running.length)
    if (task.at === this.now) this.proceed(run, task)
  }

  /** The part of a task that was under way is over. */
  private proceed(run: Run, task: Running): void {
    const { spec } = task
    switch (task.part) {
      case "fixed":
        if (task.isInterrupted) return this.cleanUp(run, task, "interrupt")
        return this.enter(run, task, "wait", spec.wait)
      case "wait":
        if (spec.act !== null) this.act(spec.act, task)
        if (spec.act?.do === "pauseFor") this.hearHold(run)
        if (spec.act?.do === "abort") return // which has interrupted this task too
        return this.cleanUp(run, task, spec.end)
      case "cleanup":
        return this.leave(run, task)
      case "absorb":
        task.end = this.program.absorb?.end ?? "fail"
        return this.depart(run, task)
    }
  }

  /** Takes that a task closes the gate for may be withdrawn before its end lets the pool look ahead again. */
  private hearHold(run: Run): void {
    if (this.program.from === "lease" && run.takes.length > 0 && this.oracle.choose(2) === 1) this.settle()
  }

  private enter(run: Run, task: Running, part: Running["part"], millis: number): void {
    task.part = part
    task.at = this.now + millis
    task.since = this.register()
    if (millis === 0) this.proceed(run, task)
  }

  private interrupt(run: Run, task: Running): void {
    task.isInterrupted = true
    task.interruptedAt = Math.min(task.interruptedAt, this.now)
    if (task.part === "wait") return this.cleanUp(run, task, "interrupt")
    if (task.part !== "absorb") return
    task.end = "interrupt"
    this.depart(run, task)
  }

  private cleanUp(run: Run, task: Running, end: Running["end"]): void {
    task.end = end
    this.enter(run, task, "cleanup", task.spec.cleanup)
  }

  /** The task is over; where its time limit was, that is what it becomes. */
  private leave(run: Run, task: Running): void {
    this.events.push(`${task.id} ${task.end} at ${this.now}`)
    if (task.isInterrupted && task.end === "succeed") task.end = "interrupt"
    const isTimeout = task.isLate && !isEnding(run) && (task.end === "interrupt" || task.end === "succeed")
    if (!isTimeout) return this.depart(run, task)
    task.isInterrupted = false
    task.interruptedAt = Infinity
    this.enter(run, task, "absorb", this.program.absorb?.wait ?? 0)
  }

  /** The finalizers of a task have taken too long: its slot is free, or belongs to what stands in for it. */
  private abandon(run: Run, task: Running): void {
    run.abandoned++
    this.abandoned.push(task)
    const index = run.running.indexOf(task)
    if (task.isLate && !isEnding(run)) {
      const heir: Running = { ...task, isHeir: true, isInterrupted: false, interruptedAt: Infinity }
      run.running.splice(index, 1, heir)
      return this.enter(run, heir, "absorb", this.program.absorb?.wait ?? 0)
    }
    run.running.splice(index, 1)
    this.observed.ended.push({
      isFailure: false,
      isTimeout: false,
      isFresh: task.startedAt >= this.desiredSince
    })
    this.giveBack([task.id])
    this.news("TaskEnded")
  }

  private depart(run: Run, task: Running): void {
    run.running.splice(run.running.indexOf(task), 1)
    const isAbsorbed = task.part === "absorb"
    const isWithdrawn = task.end === "interrupt" && isEnding(run)
    this.observed.ended.push({
      isFailure: task.end !== "succeed" && !isWithdrawn,
      isTimeout: task.end === "succeed" && isAbsorbed && !task.isHeir,
      isFresh: task.startedAt >= this.desiredSince
    })
    if (isWithdrawn && !task.isHeir) run.interrupted++
    if (task.end === "fail" && this.mayRetry(task)) return this.delay(run, task)
    if (task.end !== "succeed" && !isWithdrawn && !task.isHeir) run.failed++
    // A source that leases sees no more than that its lease was interrupted, by the run or by the task itself.
    const isLeaseBroken = this.isLeased() && (isEnding(run) || task.end === "interrupt")
    if (isWithdrawn || isLeaseBroken) this.giveBack([task.id])
    if (task.end === "succeed" && isAbsorbed && !task.isHeir) run.timedOut++
    if (task.end === "succeed" && !isAbsorbed) run.succeeded++
    this.news("TaskEnded")
    if (task.end === "succeed" || isWithdrawn) return
    this.fail(run, this.failureOf(task, isAbsorbed))
  }

  private mayRetry({ attempt }: Running): boolean {
    const { retry } = this.program
    return retry !== null && attempt <= retry.times
  }

  /** The task waits for its next try, or goes back to its source where nothing starts any more. */
  private delay(run: Run, { attempt, id, isHeir }: Running): void {
    if (!isHeir) run.failed++
    if (run.phase !== "Running") return this.giveBack([id])
    const dueAt = this.now + (this.program.retry?.pause ?? 0)
    run.delayed.push({ id, attempt: attempt + 1, dueAt, since: this.register() })
    this.news("TaskEnded")
  }

  private failureOf({ end, id }: Running, isAbsorbed: boolean): string {
    if (end === "interrupt") return end
    if (!isAbsorbed) return `${end} task ${id}`
    return this.program.absorb === null ? "timeout" : "fail absorbed"
  }

  /** Who can take items back hands them out first, in no order that is promised. */
  private giveBack(ids: ReadonlyArray<number>): void {
    const { from } = this.program
    if (from === "iterable" || from === "queue" || from === "pull") this.returned.push(...ids)
    if (from === "lease") this.items = [...this.items, ...ids].toSorted((a, b) => a - b)
  }

  private get available(): number {
    return this.returned.length + this.items.length
  }

  /** So many tasks start before that of this item. */
  private nextItem(ahead = 0): number {
    if (this.returned.length === 0) return this.items.splice(0, 1)[0]
    const id = this.oracle.nextStart(this.returned, this.startsMade + ahead)
    return this.returned.splice(this.returned.indexOf(id), 1)[0]
  }

  // Decisions

  private decide(): void {
    const { policy } = this.program
    const isStale = Object.values(this.signals).includes("stale")
    const most = isStale ? this.desired : Infinity
    this.hearSignals()
    this.allowance = Infinity
    if (policy?.law === "script") {
      this.events.push(`decides on ${JSON.stringify(this.observe())}`)
      const { allowance, desired } = policy.decisions[this.decisions++ % policy.decisions.length]
      if (allowance >= 0) this.allowance = allowance
      this.desire(Math.min(most, Math.floor(desired)))
    } else {
      const { down, ratio, up } = policy ?? { down: 0.05, ratio: 0.9, up: 0.05 }
      const isUsed = this.inUse >= Math.floor(ratio * this.desired)
      const step = !this.isIdle ? -Math.ceil(down * this.desired) : isUsed ? Math.ceil(up * this.desired) : 0
      this.desire(Math.min(most, this.desired + step))
    }
    this.observed = nothingObserved(this.now)
  }

  private get inUse(): number {
    return this.held + (this.run?.running.length ?? 0)
  }

  private observe(): Observed {
    const { area, ended, saturated, since } = this.observed
    const { inUse } = this
    const millis = this.now - since
    const isSaturated = inUse >= 0.9 * this.desired
    const started = [
      ...Array.from({ length: this.held }, () => 0),
      ...this.run?.running.map((task) => task.startedAt) ?? []
    ]
    return {
      at: this.now,
      desired: this.desired,
      current: inUse,
      mean: nearly(millis > 0 ? area / millis : inUse),
      saturated: nearly(millis > 0 ? saturated / millis : Number(isSaturated)),
      ended: ended.length,
      failures: ended.filter(({ isFailure }) => isFailure).length,
      timeouts: ended.filter(({ isTimeout }) => isTimeout).length,
      fresh: ended.filter(({ isFresh }) => isFresh).length,
      ages: started.map((at) => this.now - at).toSorted((a, b) => b - a)
    }
  }

  // Time

  /** Checks are asked again on beats that all pools share; one that is nearer than a timer may be early is left out. */
  private nextBeat(interval: number): number {
    const rest = interval - this.now % interval
    return this.now + (rest < 20 ? rest + interval : rest)
  }

  private register(): number {
    return this.registered++
  }

  /** All that is due at some time. */
  private due(): ReadonlyArray<Due> {
    const { run } = this
    const ofRun = run === undefined ? [] : [...this.tasksDue(run), ...this.answersDue(run), ...this.momentsDue(run)]
    return [...ofRun, ...this.decisionDue(), ...this.abandonedDue()]
  }

  private decisionDue(): ReadonlyArray<Due> {
    if (this.nextDecision === undefined) return []
    const happen = () => {
      this.decideLater()
      this.decide()
    }
    return [{ kind: "decision", ...this.nextDecision, happen }]
  }

  /** What the pool has given up goes on, whether or not a run does. */
  private abandonedDue(): ReadonlyArray<Due> {
    return this.abandoned.map((task): Due => ({
      kind: "task",
      at: task.at,
      since: task.since,
      happen: () => this.proceedAlone(task)
    }))
  }

  private proceedAlone(task: Running): void {
    const { at, part, spec } = task
    if (part === "fixed") task.end = "interrupt"
    if (part === "fixed" && spec.cleanup > 0) {
      task.part = "cleanup"
      task.at = at + spec.cleanup
      task.since = this.register()
      return
    }
    this.abandoned.splice(this.abandoned.indexOf(task), 1)
    this.events.push(`${task.id} ${task.end} at ${this.now}`)
  }

  private tasksDue(run: Run): ReadonlyArray<Due> {
    const { patience, timeout } = this.program
    return run.running.flatMap((task): Array<Due> => {
      const part: Due = { kind: "task", at: task.at, since: task.since, happen: () => this.proceed(run, task) }
      const { interruptedAt, limitSince, startedAt } = task
      if (interruptedAt < Infinity && patience > 0) {
        const at = interruptedAt + patience
        return [part, { kind: "limit", at, since: limitSince, happen: () => this.abandon(run, task) }]
      }
      if (timeout === 0 || task.isLate || task.isInterrupted || isEnding(run)) return [part]
      return [part, { kind: "limit", at: startedAt + timeout, since: limitSince, happen: () => this.expire(run, task) }]
    })
  }

  private answersDue(run: Run): ReadonlyArray<Due> {
    const { finality, readiness, takes } = run
    const answer = ({ at, since }: Question, happen: () => void): Due => ({ kind: "question", at, since, happen })
    return [
      ...takes.map((take) => answer(take, () => this.answerTake(run, take))),
      ...(typeof readiness === "object" ? [answer(readiness, () => this.answerReady(run, readiness))] : []),
      ...(typeof finality === "object" ? [answer(finality, () => this.answerFinished(run, finality))] : [])
    ]
  }

  private momentsDue(run: Run): ReadonlyArray<Due> {
    const { askEvery } = this.program
    const token: Due = { kind: "token", at: this.lastPacedStart + this.pace, since: Infinity, happen: () => {} }
    const hold: Due = { kind: "hold", at: this.heldUntil, since: Infinity, happen: () => {} }
    const retries = run.delayed.map(({ dueAt, since }): Due => ({ kind: "retry", at: dueAt, since, happen: () => {} }))
    return [
      ...retries.filter(({ at }) => at > this.now),
      ...(this.pace > 0 && this.isPaced(0) ? [token] : []),
      ...(this.heldUntil > this.now ? [hold] : []),
      {
        kind: "ask",
        ...run.nextAsk,
        happen: () => {
          run.nextAsk = { at: this.nextBeat(askEvery), since: this.register() }
          this.news("Interval")
        }
      }
    ]
  }

  private expire(run: Run, task: Running): void {
    task.isLate = true
    this.interrupt(run, task)
  }

  private view(): View {
    const { run } = this
    return {
      inFlight: run?.running.length ?? 0,
      desired: this.desired,
      phase: run === undefined ? "Idle" : isEnding(run) ? "Ending" : run.phase === "Draining" ? "Draining" : "Running",
      isPaused: this.isPaused,
      pausedUntil: this.heldUntil > this.now ? this.heldUntil : undefined,
      started: run?.started ?? 0,
      succeeded: run?.succeeded ?? 0,
      timedOut: run?.timedOut ?? 0,
      failed: run?.failed ?? 0,
      abandoned: run?.abandoned ?? 0,
      retried: run?.retried ?? 0,
      delayed: run?.delayed.filter(({ dueAt }) => dueAt > this.now).length ?? 0,
      finalizing: run?.running.filter(({ interruptedAt }) => interruptedAt < Infinity).length ?? 0,
      blockers: run === undefined ? [] : this.blockers(run)
    }
  }

  private blockers(run: Run): Array<string> {
    const closed = this.closedBy().map((reason) => reason === "Held" ? "Paused" : reason)
    const isFinalizing = run.running.length > 0 && run.running.every(({ interruptedAt }) => interruptedAt < Infinity)
    if (run.phase === "Draining") return [isFinalizing ? "Finalizing" : "Draining"]
    const lack = run.delayed.length > 0 ? "Delayed" : "NoTaskReady"
    const reasons = this.mayLook(run) ? [...closed, lack] : closed
    if (!isFinalizing) return reasons
    return ["Finalizing", ...reasons.filter((reason) => reason === "Paused" || reason === "RateLimited")]
  }
}

const isEnding = ({ phase }: Run): boolean => phase !== "Running" && phase !== "Draining"

interface Ended {
  readonly isFailure: boolean
  readonly isTimeout: boolean
  /** Whether it started after the concurrency that is desired last changed. */
  readonly isFresh: boolean
}

interface Observing {
  readonly since: number
  /** Tasks in flight, times milliseconds. */
  area: number
  /** Milliseconds in which the concurrency was used. */
  saturated: number
  ended: Array<Ended>
}

const nothingObserved = (since: number): Observing => ({ since, area: 0, saturated: 0, ended: [] })

const does = (_effect: unknown): true => true

/** What is of one kind keeps the order in which it was begun; tasks that reach a limit together do so in any. */
const firstOfEachKind = (due: ReadonlyArray<Due>): ReadonlyArray<Due> =>
  due.filter(({ kind }, index) => kind === "limit" || due.findIndex((other) => other.kind === kind) === index)
