/**
 * The service that tasks call: servers with one queue, first come first served.
 *
 * Beyond the knee each call takes longer: `1 + slowdown * over`, where `over` is the number of calls per server beyond
 * one. A refusal comes at once and costs the service a little of its speed for about a second, as answering is work too.
 */
import type { Downstream } from "../Workload.ts"
import type { VirtualTime } from "./virtualTime.ts"

const refusalMillis = 20
const refusalMemoryMillis = 1000

export type Answer = "Served" | "Rejected" | "TimedOut"

export interface Call {
  readonly millis: number
  readonly calledAt: number
  readonly answer: (answer: Answer) => void
  isAbandoned: boolean
}

export class Service {
  private readonly time: VirtualTime
  private terms: Downstream
  private queue: Array<Call> = []
  private inSystem = 0
  private serving = 0
  private refusals = 0
  private refusedAt = 0
  private tokens: number | undefined
  private tokensAt = 0

  constructor(time: VirtualTime, terms: Downstream) {
    this.time = time
    this.terms = terms
  }

  change(terms: Downstream): void {
    this.terms = terms
    this.serve()
  }

  call(millis: number, answer: (answer: Answer) => void): Call {
    const call = { millis, answer, calledAt: this.time.now, isAbandoned: false }
    if (this.admits()) {
      this.inSystem++
      this.queue.push(call)
      this.serve()
    } else {
      this.refusals = this.recentRefusals() + 1
      this.refusedAt = this.time.now
      this.time.after(refusalMillis, () => this.reply(call, "Rejected"))
    }
    return call
  }

  private admits(): boolean {
    const { rateLimit, rejectAbove } = this.terms
    if (rateLimit !== undefined && !this.takeToken(rateLimit)) return false
    return rejectAbove === undefined || this.inSystem < rejectAbove
  }

  private takeToken(perSecond: number): boolean {
    const earned = ((this.time.now - this.tokensAt) / 1000) * perSecond
    const burst = Math.max(1, perSecond)
    const tokens = Math.min(burst, (this.tokens ?? burst) + earned)
    this.tokensAt = this.time.now
    this.tokens = tokens < 1 ? tokens : tokens - 1
    return tokens >= 1
  }

  private serve(): void {
    while (this.serving < this.terms.servers) {
      const call = this.queue.shift()
      if (call === undefined) return
      if (call.isAbandoned) {
        this.inSystem--
        continue
      }
      this.serving++
      this.time.after(call.millis * this.slowness(), () => this.finish(call))
    }
  }

  private slowness(): number {
    const { rejectionCost, servers, slowdown } = this.terms
    const over = Math.max(0, this.inSystem / servers - 1)
    return 1 + slowdown * over + (this.recentRefusals() * rejectionCost) / servers
  }

  private recentRefusals(): number {
    return this.refusals * Math.exp(-(this.time.now - this.refusedAt) / refusalMemoryMillis)
  }

  private finish(call: Call): void {
    this.serving--
    this.inSystem--
    this.serve()
    const { timeout } = this.terms
    const isLate = timeout !== undefined && this.time.now - call.calledAt > timeout
    this.reply(call, isLate ? "TimedOut" : "Served")
  }

  private reply(call: Call, answer: Answer): void {
    if (!call.isAbandoned) call.answer(answer)
  }
}
