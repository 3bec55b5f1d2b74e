import { Effect } from "effect"
import { ScalingPolicy } from "@autoscaled-pool/core"
import * as SP from "@autoscaled-pool/core/ScalingPolicy"
import { ReferenceWorkloads, Simulation, Oracle, Score } from "@autoscaled-pool/simulator"
const names = process.argv[2]?.split(",")
const pol = process.argv[3] ?? "stepRatio"
for (const w of ReferenceWorkloads.all) {
  if (names && names[0] !== "all" && !names.includes(w.name)) continue
  const o = await Effect.runPromise(Oracle.find(w, { seed: 71 }))
  const fixed = Number(pol)
  const policy = fixed > 0 ? { name: "fixed", every: SP.stepRatio().every, initial: () => 0, decide: (s: number) => [{ desired: fixed, reason: { summary: "x" } }, s] as const } : (SP as any)[pol]()
  const settings = fixed > 0 ? { minConcurrency: fixed, maxConcurrency: fixed } : {}
  const t = performance.now()
  const r = await Effect.runPromise(Simulation.run({ workload: w, policy, settings, seed: 71 }))
  const ms = performance.now() - t
  const s = Score.of(r, o)
  console.log(w.name.padEnd(9), "score", s.score.toFixed(2), "eff", s.efficiency?.toFixed(2), "over", s.overTime.toFixed(2), "lost", s.lost.toFixed(3), "kills", s.kills, "osc", s.oscillation.toFixed(2), "t90", s.settling.map(x => x?.toFixed(0) ?? "-").join("/"), "infl", s.inflation.toFixed(2), s.waits ? `wait ${s.waits.mean.toFixed(2)}/${s.waits.p95.toFixed(2)}` : "", "|", ms.toFixed(0) + "ms", r.succeeded.length)
}
