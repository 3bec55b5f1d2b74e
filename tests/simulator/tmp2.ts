import { ReferenceWorkloads } from "@autoscaled-pool/simulator"
import { FixedConcurrency } from "../../packages/simulator/src/internal/fixedConcurrency.ts"
import { onlyPhase } from "../../packages/simulator/src/internal/plant.ts"
for (const [w, i, dur, ns] of [[ReferenceWorkloads.mixed, 0, 450000, [26,29,31,33,35,36,38]], [ReferenceWorkloads.mixed, 1, 450000, [20,21,22,23,24,25]], [ReferenceWorkloads.memory, 0, 900000, [18,19,20,21,22,23]]] as const) {
  for (const n of ns) {
    const row = []
    for (const seed of [71,72,73,74,75]) {
      const f = new FixedConcurrency(onlyPhase(w, w.phases[i], dur), seed, n)
      while (f.now < dur && !f.plant.kills.length) f.advanceTo(f.now + 5000)
      row.push(`${(f.plant.ledger.succeeded.length/f.now*1000).toFixed(2)}${f.plant.kills.length ? "!" : ""} ${f.plant.peakMemory.toFixed(2)}`)
    }
    console.log(w.name, n, row.join(" | "))
  }
}
