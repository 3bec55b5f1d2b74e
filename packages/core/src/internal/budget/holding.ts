/**
 * Permits that a task holds, as what runs inside the task sees them.
 *
 * A task that awaits another one of the same budget would wait for ever where it holds the last permit itself. So its
 * permits are lent to what asks first inside it, and go to the next one there when they are given back.
 *
 * Where what asks needs more than that, tasks that hold permits could each wait for those of the others. A task inside of
 * which something runs or waits is *blocked*: it is not the one to go on. Where all tasks in flight are, all permits are idle.
 */

/** Who runs on permits that are another's. */
export interface Borrower {
  /** Who lent the permits has ended without them: they are the borrower's own from now on. */
  readonly inherit: (now: number) => void
}

/** Who wants to know what becomes of the permits of the task in which it runs. */
export interface Nested {
  /** They have been given back, or there is nothing else in the budget that could go on. */
  readonly wake: () => void
  /** The task has ended: there is nothing to borrow any more. */
  readonly orphan: () => void
}

/** Whose permits they are. */
export interface HoldingBudget {
  /** Of the tasks in flight, those that are blocked. */
  readonly blocked: Set<Holding>
  /** One more is. */
  readonly onBlocked: () => void
}

export class Holding {
  readonly budget: HoldingBudget
  readonly permits: number
  /** Whether the task that held the permits has ended: what it has left behind is no part of it any more. */
  isOver = false
  private borrower: Borrower | undefined
  private readonly hearing = new Set<Nested>()
  private readonly active = new Set<object>()

  constructor(budget: HoldingBudget, permits: number) {
    this.budget = budget
    this.permits = permits
  }

  get isLent(): boolean {
    return this.borrower !== undefined
  }

  lend(borrower: Borrower): void {
    this.borrower = borrower
  }

  giveBack(): void {
    this.borrower = undefined
    this.wake()
  }

  readonly wake = (): void => {
    for (const { wake } of [...this.hearing]) wake()
  }

  /** Tells `nested` what becomes of the permits; gives back how to end that. */
  tell(nested: Nested): () => void {
    this.hearing.add(nested)
    return () => void this.hearing.delete(nested)
  }

  /** Something runs in the task from now on, or waits for permits. */
  enter(nested: object): void {
    this.active.add(nested)
    if (this.active.size > 1) return
    this.budget.blocked.add(this)
    this.budget.onBlocked()
  }

  /** It does no longer. */
  leave(nested: object): void {
    this.active.delete(nested)
    if (this.active.size === 0) this.budget.blocked.delete(this)
  }

  /** The task that held the permits has ended, and has released them. */
  end(now: number): void {
    this.isOver = true
    const { borrower } = this
    if (borrower === undefined && this.active.size === 0 && this.hearing.size === 0) return
    this.borrower = undefined
    this.active.clear()
    this.budget.blocked.delete(this)
    borrower?.inherit(now)
    for (const { orphan } of [...this.hearing]) orphan()
    this.hearing.clear()
  }
}

/** The innermost permits of a budget that a task holds, or a task that it runs in, of those that have not ended. */
export const holdingOf = (
  task: { readonly holdings: ReadonlyArray<Holding> } | undefined,
  budget: object
): Holding | undefined => task?.holdings.find((holding) => holding.budget === budget && !holding.isOver)
