/**
 * What a source wants withdrawn when there is no room for its items any more.
 *
 * - `Takes`: takes whose item has not arrived are interrupted; an item that has arrived waits for room.
 * - `Nothing`: a take is never interrupted, because it cannot be told whether that would lose an item; what arrives waits.
 * - `TakesAndItems`: an item that has arrived goes back as well, because others may be waiting for it.
 */
export type Withdrawal = "Takes" | "Nothing" | "TakesAndItems"

const Withdraws: unique symbol = Symbol.for("@autoscaled-pool/core/TaskSource/withdraws")

/** Says of a source what is to be withdrawn. */
export const withdrawing = <S extends object>(withdrawal: Withdrawal, source: S): S =>
  Object.assign(source, { [Withdraws]: withdrawal })

export const withdrawalOf = (source: object): Withdrawal =>
  // Only `withdrawing` gives a source this property.
  Withdraws in source ? (source[Withdraws] as Withdrawal) : "Takes"
