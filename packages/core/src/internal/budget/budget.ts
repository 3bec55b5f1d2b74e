/**
 * A budget: permits that consumers share, a policy that says how many there are, and whose turn it is to take one.
 *
 * Whoever asks for a permit waits for one until it says otherwise. Whose turn it is, is woken when a permit is free; it
 * takes the permit, or passes the turn on. While there is one consumer alone, there are no turns.
 */
import * as Effect from "effect/Effect"
import type { GovernorEvent } from "../../ConcurrencyGovernor.ts"
import type { ConcurrencySettings } from "../../ConcurrencySettings.ts"
import type { ScalingPolicy } from "../../ScalingPolicy.ts"
import type { SystemInfo, SystemStatus } from "../../SystemStatus.ts"
import { Gate } from "./gate.ts"
import type { Holding, HoldingBudget } from "./holding.ts"
import { ObservationWindow } from "./observationWindow.ts"
import { Regulator } from "./regulator.ts"
import { type Share, Shares } from "./shares.ts"

/** A consumer as its budget sees it. */
export interface Member {
  readonly weight: number
  readonly minimum: number
  /** Permits of the budget that it has booked. */
  readonly booked: number
  share: Share | undefined
  readonly wake: () => void
  readonly report: (event: GovernorEvent) => void
  readonly ages: (now: number) => ReadonlyArray<number>
}

export class Budget implements HoldingBudget {
  readonly gate: Gate
  readonly window: ObservationWindow
  readonly regulator: Regulator
  readonly now: () => number
  /** In the order in which they joined. */
  readonly members = new Set<Member>()
  readonly blocked = new Set<Holding>()
  private inFlight = 0
  private readonly byShare = new Map<Share, Member>()
  private readonly attention: SystemStatus["Service"]["attention"]
  private shares: Shares | undefined
  /** Whose turn it is, until something changes. */
  private chosen: Member | undefined
  /** Who has been woken for its turn, and has not looked yet. */
  private roused: Member | undefined

  constructor(
    settings: ConcurrencySettings,
    policy: ScalingPolicy,
    status: SystemStatus["Service"],
    verdict: SystemInfo,
    now: () => number,
    whenActive: Effect.Effect<void> = Effect.void
  ) {
    this.now = now
    this.attention = status.attention
    this.gate = new Gate(settings)
    this.window = new ObservationWindow(now())
    this.regulator = new Regulator({
      policy,
      status,
      verdict,
      gate: this.gate,
      window: this.window,
      now,
      whenActive,
      dispatching: {
        wake: () => this.wakeAll(),
        report: (event) => this.members.forEach((member) => member.report(event)),
        ages: (now) => this.ages(now)
      }
    })
  }

  join(member: Member): void {
    this.members.add(member)
    if (this.shares !== undefined) this.takeShare(this.shares, member)
    else if (this.members.size > 1) this.divide()
  }

  /** Call it when its last permit has been released. */
  leave(member: Member, now: number): void {
    this.members.delete(member)
    if (this.roused === member) this.roused = undefined
    const { share } = member
    if (this.shares === undefined || share === undefined) return
    this.shares.leave(share, now)
    this.byShare.delete(share)
    member.share = undefined
    if (this.members.size < 2) this.unite()
    else this.passTurn(undefined, now)
  }

  /** What it is owed has changed. */
  adjust(member: Member, now: number): void {
    if (this.shares === undefined || member.share === undefined) return
    this.shares.adjust(member.share, member.weight, member.minimum, now)
    this.passTurn(undefined, now)
  }

  /** Whether it is its turn to take so many permits, while the gate is open. Asking for it is to wait for it. */
  isTurnOf(member: Member, permits: number, now: number): boolean {
    if (this.shares === undefined || member.share === undefined) return true
    this.want(member, permits, now)
    const chosen = this.chosen ??= this.choose(now)
    if (chosen === member) return this.shares.fits(permits)
    if (chosen !== undefined) this.rouse(chosen)
    return false
  }

  /** Whether whose turn it is waits for several permits. */
  isKeptForHeavier(now: number): boolean {
    return ((this.chosen ?? this.choose(now))?.share?.request ?? 1) > 1
  }

  /** It waits for so many permits. */
  want(member: Member, permits: number, now: number): void {
    if (this.roused === member) this.roused = undefined
    const { share } = member
    if (this.shares === undefined || share === undefined) return
    if (share.state === "Waiting" && share.request === permits) return
    this.shares.want(share, permits, now)
    this.chosen = undefined
  }

  /** It waits for no permit; `Answering`: it will as soon as it has found something to start. */
  pass(member: Member, state: "Content" | "Answering", now: number): void {
    const { share } = member
    if (this.roused === member) this.roused = undefined
    if (this.shares === undefined || share === undefined || share.state === state) return
    this.shares.pass(share, state, now)
    this.passTurn(member, now)
  }

  /** Whether it may be its turn. */
  isNext(member: Member): boolean {
    return this.chosen === undefined || this.chosen === member
  }

  /** Books a start that takes so many permits more. */
  book(member: Member, permits: number, now: number): void {
    this.inFlight++
    this.gate.book(now, permits)
    if (permits > 0) this.record(member, permits, now)
  }

  /** Books permits that are in use already, and that somebody else has released. */
  inherit(member: Member, permits: number, now: number): void {
    this.gate.current += permits
    this.record(member, permits, now)
  }

  /**
   * Whether every task in flight is blocked, because it waits for permits that others hold. All permits are idle then: one
   * more may start on them, whatever it takes, as else none ever would.
   */
  get isStuck(): boolean {
    return this.blocked.size > 0 && this.inFlight <= this.blocked.size
  }

  /** Whether it would be if this one were blocked too. */
  isStuckWith(holding: Holding): boolean {
    return this.inFlight <= this.blocked.size + Number(!this.blocked.has(holding))
  }

  /** Fewer tasks go on by themselves: where none does, whoever waits inside of them looks. */
  readonly onBlocked = (): void => {
    if (this.blocked.size === 0 || !this.isStuck) return
    for (const { wake } of [...this.blocked]) wake()
  }

  release(member: Member, permits: number, now: number): void {
    this.inFlight--
    this.onBlocked()
    if (permits === 0) return
    this.gate.release(permits)
    if (this.gate.current === 0) this.attention?.endUnsafe()
    this.window.meter.change(now, this.gate.current)
    if (member.share !== undefined) this.releaseShare(member, member.share, permits, now)
  }

  private releaseShare(member: Member, share: Share, permits: number, now: number): void {
    if (this.shares === undefined) return
    this.shares.release(share, permits, now)
    this.passTurn(member, now)
  }

  /** What a consumer that waits is owed, in permits. */
  owed(member: Member): number {
    return this.shares === undefined || member.share === undefined ? this.gate.cap : this.shares.owed(member.share)
  }

  /** What a consumer may hold and look for work for, in permits. */
  claim(member: Member): number {
    return this.shares === undefined || member.share === undefined ? Infinity : this.shares.claim(member.share)
  }

  /** Who is woken for the gate: whose turn it is; `asker` looks by itself. */
  private passTurn(asker: Member | undefined, now: number): void {
    this.chosen = undefined
    if (this.gate.current >= this.gate.cap) return
    this.chosen = this.choose(now)
    if (this.chosen !== undefined && this.chosen !== asker) this.rouse(this.chosen)
  }

  private record(member: Member, permits: number, now: number): void {
    if (this.gate.current === permits) {
      this.attention?.beginUnsafe()
      this.regulator.wakeUnsafe()
    }
    this.window.meter.change(now, this.gate.current)
    if (member.share !== undefined) this.bookShare(member.share, permits, now)
  }

  private bookShare(share: Share, permits: number, now: number): void {
    if (this.shares === undefined) return
    this.shares.book(share, permits, now)
    this.chosen = undefined
  }

  private choose(now: number): Member | undefined {
    const share = this.shares?.next(now)
    return share === undefined ? undefined : this.byShare.get(share)
  }

  private rouse(member: Member): void {
    if (this.roused === member) return
    this.roused = member
    member.wake()
  }

  /** From now on there are turns. */
  private divide(): void {
    this.shares = new Shares(this.gate.cap)
    for (const member of this.members) this.takeShare(this.shares, member)
  }

  private takeShare(shares: Shares, member: Member): void {
    const now = this.now()
    member.share = shares.join(member.weight, member.minimum)
    this.byShare.set(member.share, member)
    if (member.booked > 0) shares.book(member.share, member.booked, now)
    this.chosen = undefined
    member.wake() // whether it waits is not known of one that was alone
  }

  /** There is one consumer at most: no turns any more. */
  private unite(): void {
    this.shares = undefined
    this.byShare.clear()
    this.chosen = this.roused = undefined
    for (const member of this.members) {
      member.share = undefined
      member.wake()
    }
  }

  /** The gate has changed, and everybody looks for itself. */
  private wakeAll(): void {
    this.shares?.resize(this.gate.cap)
    this.chosen = this.roused = undefined
    for (const member of [...this.members]) member.wake()
  }

  private ages(now: number): ReadonlyArray<number> {
    const ages = [...this.members].map((member) => member.ages(now))
    return ages.length === 1 ? ages[0] : ages.flat().toSorted((a, b) => b - a)
  }
}
