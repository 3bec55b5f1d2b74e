import type { FeedHost } from "./feed.ts"

/** The host of a feed inside another feed: the same, except that an item which is taken back is looked for here first. */
export const innerHost = <A, B>(host: FeedHost<A>, revoke: FeedHost<B>["revoke"]): FeedHost<B> => ({
  fork: (effect, onExit) => host.fork(effect, onExit),
  desired: () => host.desired(),
  free: () => host.free(),
  now: () => host.now(),
  time: () => host.time(),
  wakeAt: (at) => host.wakeAt(at),
  wakeLater: () => host.wakeLater(),
  fail: (cause) => host.fail(cause),
  revoke
})
