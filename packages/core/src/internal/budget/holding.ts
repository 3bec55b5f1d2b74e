/**
 * Permits that a task holds, as what runs inside the task sees them.
 *
 * A task that awaits another one of the same budget would wait for ever where it holds the last permit itself. So its
 * permits are lent to what asks first inside it, and go to the next one there when they are given back.
 */

/** Who runs on permits that are another's. */
export interface Borrower {
  /** Who lent the permits has ended without them: they are the borrower's own from now on. */
  readonly inherit: (now: number) => void
}

export class Holding {
  /** Whose permits they are. */
  readonly budget: object
  permits: number
  private borrower: Borrower | undefined
  private readonly waiting = new Set<() => void>()

  constructor(budget: object, permits: number) {
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
    for (const wake of [...this.waiting]) wake()
  }

  /** Calls whenever the permits have been given back; gives back how to end that. */
  onGivenBack(wake: () => void): () => void {
    this.waiting.add(wake)
    return () => void this.waiting.delete(wake)
  }

  /** The task that held the permits has ended, and has released them. */
  end(now: number): void {
    const { borrower } = this
    if (borrower === undefined) return
    this.borrower = undefined
    borrower.inherit(now)
  }
}

/** The innermost permits of a budget that a task holds, or a task that it runs in. */
export const holdingOf = (
  task: { readonly holdings: ReadonlyArray<Holding> } | undefined,
  budget: object
): Holding | undefined => task?.holdings.find((holding) => holding.budget === budget)
