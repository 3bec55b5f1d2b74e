import { Effect, Exit, Context } from "effect"
const cpu = () => { const u = process.cpuUsage(); return (u.user + u.system) / 1000 }
const N = 300000
const imm = Effect.callback<void>((resume) => { setImmediate(() => resume(Effect.void)) })
const prom = Effect.promise(() => Promise.resolve())
const c = Number(process.argv[3] ?? 100)
const task = process.argv[4] === "promise" ? prom : process.argv[4] === "yield" ? Effect.yieldNow : process.argv[4] === "sync" ? Effect.sync(() => {}) : imm
const arr = Array.from({ length: N }, (_, i) => i)
const theirs = () => Effect.runPromise(Effect.forEach(arr, () => task, { concurrency: c, discard: true }))
const floor = () => Effect.runPromise(Effect.callback<void>((resume) => {
  const it = arr[Symbol.iterator]()
  const fork = Effect.runForkWith(Context.empty())
  let current = 0, pumping = false, done = false
  const free: any[] = []
  class Slot { fiber: any; observe = (exit: any) => { current--; free.push(this); if (exit._tag === "Failure") throw 1; pump() } }
  const pump = () => {
    if (pumping) return
    pumping = true
    while (current < c && !done) {
      const n = it.next()
      if (n.done) { done = true; break }
      const slot = free.pop() ?? new Slot()
      current++
      const f = fork(task)
      const e = f.pollUnsafe()
      if (e) { current--; free.push(slot); continue }
      slot.fiber = f
      f.addObserver(slot.observe)
    }
    pumping = false
    if (done && current === 0) resume(Effect.void)
  }
  pump()
}))
const out: Record<string, number[]> = { ours: [], theirs: [] }
for (let r = 0; r < 9; r++) {
  { const t = cpu(); await floor(); out.ours.push((cpu() - t) * 1e6 / N) }
  { const t = cpu(); await theirs(); out.theirs.push((cpu() - t) * 1e6 / N) }
}
const med = (v: number[]) => v.length ? v.sort((a, b) => a - b)[v.length >> 1] : 0
console.log("floor", c, process.argv[4] ?? "", "floor", med(out.ours).toFixed(0), "min", Math.min(...out.ours).toFixed(0), "theirs", med(out.theirs).toFixed(0), "min", Math.min(...out.theirs).toFixed(0), (med(out.ours) / med(out.theirs)).toFixed(2))
