import { Effect } from "effect"
import { AutoscaledPool, SystemStatus, TaskSource } from "@autoscaled-pool/core"
const cpu = () => { const u = process.cpuUsage(); return (u.user + u.system) / 1000 }
const N = 300000
const imm = Effect.callback<void>((resume) => { setImmediate(() => resume(Effect.void)) })
const prom = Effect.promise(() => Promise.resolve())
const c = Number(process.argv[3] ?? 100)
const task = process.argv[4] === "promise" ? prom : process.argv[4] === "yield" ? Effect.yieldNow : process.argv[4] === "sync" ? Effect.sync(() => {}) : imm
const arr = Array.from({ length: N }, (_, i) => i)
const ours = () => Effect.runPromise(Effect.flatMap(AutoscaledPool.fromSource(TaskSource.fromIterable(arr), () => task, { loggingInterval: null, concurrencySettings: { minConcurrency: c, maxConcurrency: c, desiredConcurrency: c } }), (p) => p.run).pipe(Effect.provide(SystemStatus.layerTest)))
const theirs = () => Effect.runPromise(Effect.forEach(arr, () => task, { concurrency: c, discard: true }))
const which = process.argv[2]
const out: Record<string, number[]> = { ours: [], theirs: [] }
for (let r = 0; r < 25; r++) {
  if (which !== "theirs") { const t = cpu(); await ours(); out.ours.push((cpu() - t) * 1e6 / N) }
  if (which !== "ours") { const t = cpu(); await theirs(); out.theirs.push((cpu() - t) * 1e6 / N) }
}
const med = (v: number[]) => v.length ? v.sort((a, b) => a - b)[v.length >> 1] : 0
console.log(which, c, "ours", med(out.ours).toFixed(0), "min", Math.min(...out.ours).toFixed(0), "theirs", med(out.theirs).toFixed(0), "min", Math.min(...out.theirs).toFixed(0), (med(out.ours) / med(out.theirs)).toFixed(2))
