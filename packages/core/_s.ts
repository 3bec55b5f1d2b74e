import { Effect, Layer } from "effect"
import { AutoscaledPool, SystemStatus, TaskSource } from "@autoscaled-pool/core"
const N = Number(process.argv[2] ?? 100000)
const imm = Effect.callback<void>((resume) => { setImmediate(() => resume(Effect.void)) })
const tasks: Record<string, Effect.Effect<void>> = {
  sync: Effect.sync(() => {}),
  immediate: imm,
  promise: Effect.promise(() => Promise.resolve()),
  yield: Effect.yieldNow,
  noop: Effect.void
}
const loopTasks: Record<string, () => Promise<void>> = { sync: async () => {}, noop: async () => {}, promise: () => Promise.resolve(), immediate: () => new Promise((r) => setImmediate(r)), yield: () => new Promise((r) => setImmediate(r)) }
const settings = (c: number) => ({ minConcurrency: c, maxConcurrency: c, desiredConcurrency: c })
function* range(n: number) { for (let i = 0; i < n; i++) yield i }
const arr = Array.from({ length: N }, (_, i) => i)
const contenders: Record<string, (kind: string, c: number) => Promise<unknown>> = {
  loop: (kind, c) => { let i = 0; const t = loopTasks[kind]; const w = async () => { while (i++ < N) await t() }; return Promise.all(Array.from({ length: c }, w)) },
  effectForEach: (kind, c) => Effect.runPromise(Effect.forEach(arr, () => tasks[kind], { concurrency: c, discard: true })),
  fromSource: (kind, c) => Effect.runPromise(Effect.flatMap(AutoscaledPool.fromSource(TaskSource.fromIterable(arr), () => tasks[kind], { concurrencySettings: settings(c), loggingInterval: null }), (p) => p.run).pipe(Effect.provide(SystemStatus.layerTest))),
  forEach: (kind, c) => Effect.runPromise(AutoscaledPool.forEach(arr, () => tasks[kind], { concurrencySettings: settings(c), discard: true }).pipe(Effect.provide(SystemStatus.layerTest))),
  make: (kind, c) => { let n = 0; const pool = AutoscaledPool.make({ runTask: Effect.suspend(() => { n++; return tasks[kind] }), isTaskReady: Effect.sync(() => n < N), isFinished: Effect.sync(() => n >= N), concurrencySettings: settings(c), loggingInterval: null }); return Effect.runPromise(Effect.flatMap(pool, (p) => p.run).pipe(Effect.provide(SystemStatus.layerTest))) }
}
const kinds = (process.argv[3] ?? "immediate,promise,yield,sync,noop").split(",")
const rounds = Number(process.argv[4] ?? 5)
for (const kind of kinds) {
  for (const c of [16, 100, 1000]) {
    const times: Record<string, number[]> = {}
    for (let r = 0; r < rounds; r++) for (const [name, f] of Object.entries(contenders)) {
      const t = performance.now(); await f(kind, c); (times[name] ??= []).push((performance.now() - t) * 1e6 / N)
    }
    const med = Object.fromEntries(Object.entries(times).map(([k, v]) => [k, v.sort((a, b) => a - b)[v.length >> 1]]))
    console.log(kind.padEnd(10), String(c).padStart(5), Object.entries(med).map(([k, v]) => `${k} ${v.toFixed(0)} (${(v / med.effectForEach).toFixed(2)})`).join("  "))
  }
}
