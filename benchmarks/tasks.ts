/**
 * The tasks that contenders run: each as a function that gives a promise, and as the effect that does the same.
 */
import { Effect } from "effect"

export interface Task {
  readonly name: string
  /** `undefined` where only an effect can do it. */
  readonly promise: (() => Promise<unknown>) | undefined
  readonly effect: Effect.Effect<unknown>
}

const resolved = Promise.resolve()

/** Done before it starts. */
export const noop: Task = { name: "noop", promise: () => resolved, effect: Effect.void }

/** Something to evaluate, without a wait. */
export const sync: Task = { name: "sync", promise: async () => {}, effect: Effect.sync(() => {}) }

/** A promise that is resolved already. */
export const promise: Task = {
  name: "promise",
  promise: () => Promise.resolve(),
  effect: Effect.promise(() => Promise.resolve())
}

/** Ends in the next turn of the event loop. */
export const immediate: Task = {
  name: "setImmediate",
  promise: () => new Promise((resolve) => setImmediate(resolve)),
  effect: Effect.callback<void>((resume) => {
    setImmediate(() => resume(Effect.void))
  })
}

/** Gives way to other fibers once. */
export const yielding: Task = { name: "yield", promise: undefined, effect: Effect.yieldNow }

/** Waits for a timer. */
export const sleeping = (millis: number): Task => ({
  name: `${millis} ms`,
  promise: () => new Promise((resolve) => setTimeout(resolve, millis)),
  effect: Effect.callback<void>((resume) => {
    const timer = setTimeout(() => resume(Effect.void), millis)
    return Effect.sync(() => clearTimeout(timer))
  })
})

/** A task that tells a listener when it starts and when it ends. */
export const observed = (task: Task, onStart: () => void, onEnd: () => void): Task => {
  const { effect, name, promise } = task
  return {
    name,
    promise: promise && (async () => {
      onStart()
      await promise()
      onEnd()
    }),
    effect: Effect.suspend(() => {
      onStart()
      return Effect.andThen(effect, Effect.sync(onEnd))
    })
  }
}
