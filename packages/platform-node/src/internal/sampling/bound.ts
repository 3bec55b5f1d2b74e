/**
 * What several limits, one inside the other, leave to a process.
 */

/** A limit of one control group and how much of it is used, by whomever. */
export interface Level {
  readonly limit: number
  readonly used: number
}

/** The most that the process may ever have, and how much more of it there is now. */
export interface Bound {
  readonly limit: number
  readonly headroom: number
}

/** The tightest limit and the smallest headroom, which need not be those of the same group. */
export const tightest = (levels: ReadonlyArray<Level>): Bound | undefined =>
  levels.length === 0 ? undefined : {
    limit: Math.min(...levels.map(({ limit }) => limit)),
    headroom: Math.min(...levels.map(({ limit, used }) => limit - used))
  }

/** The share of the limit that is gone: used by the process, or by others that share a limit with it. */
export const loadOf = ({ headroom, limit }: Bound): number => Math.max(0, 1 - headroom / limit)

/** The one of several limits that leaves least. */
export const fullest = <A extends Level>(levels: ReadonlyArray<A>): A =>
  levels.reduce((a, b) => b.limit - b.used < a.limit - a.used ? b : a)
