/**
 * What a source failed with, apart from what the handler of its item had failed with.
 */
import * as Cause from "effect/Cause"

/** What is in `cause` and neither an interruption nor in `handler`; a failure may have become a defect on its way. */
export const ownReasons = (
  cause: Cause.Cause<unknown>,
  handler: Cause.Cause<unknown>
): Array<Cause.Reason<unknown>> => {
  const known = new Set(handler.reasons.map(valueOf))
  return cause.reasons.filter((reason) => !Cause.isInterruptReason(reason) && !known.has(valueOf(reason)))
}

const valueOf = (reason: Cause.Reason<unknown>): unknown => {
  if (Cause.isFailReason(reason)) return reason.error
  return Cause.isDieReason(reason) ? reason.defect : undefined
}
