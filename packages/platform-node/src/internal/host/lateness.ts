/**
 * For how long the event loop of this thread has been blocked, by the lateness of a timer: what tells it where a runtime
 * does not measure the loop. The timer runs while somebody asks, and does not keep the process alive.
 */
const interval = 20

/** What a timer of an idle loop may be late by. */
const coarseness = 4

const patience = 10_000

export const make = (): () => number => {
  let late = 0
  let askedAt = 0
  let isRunning = false
  const next = (): void => {
    const due = performance.now() + interval
    setTimeout(() => {
      const now = performance.now()
      late += Math.max(0, now - due - coarseness)
      isRunning = now - askedAt < patience
      if (isRunning) next()
    }, interval).unref()
  }
  return () => {
    askedAt = performance.now()
    if (!isRunning) {
      isRunning = true
      next()
    }
    return late
  }
}
