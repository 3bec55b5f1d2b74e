/**
 * A pool as a view is given it.
 */
import type { PoolSnapshot } from "@autoscaled-pool/core"

const GiB = 2 ** 30

export const bounds = [100, 200, 500, 1000]

export const snapshot = (changes: Partial<PoolSnapshot.PoolSnapshot> = {}): PoolSnapshot.PoolSnapshot => ({
  name: "crawl",
  policy: "adaptive",
  at: 0,
  phase: "Running",
  isPaused: false,
  settings: { minConcurrency: 1, maxConcurrency: 64, desiredConcurrency: 10, maxTasksPerMinute: Infinity },
  current: 12,
  desired: 16,
  holding: undefined,
  totals: {
    started: 12,
    succeeded: 0,
    failed: 0,
    timedOut: 0,
    interrupted: 0,
    abandoned: 0,
    rejected: 0,
    blockedMillis: {},
    decisions: { up: {}, down: {}, hold: {} },
    runs: { Finished: 0, Drained: 0, Aborted: 0, Failed: 0, Interrupted: 0 }
  },
  durations: { bounds, counts: [0, 0, 0, 0, 0], count: 0, sum: 0, max: 0 },
  oldestAges: [12_300, 400],
  signals: [{
    name: "memory",
    limitRatio: 0.2,
    actualRatio: 0.5,
    isOverloaded: true,
    isStale: false,
    load: 0.906,
    own: 0.8,
    target: 0.9,
    measure: { used: 20.3 * GiB, limit: 22.4 * GiB, unit: "By", of: "cgroup /x" }
  }],
  lastDecision: undefined,
  run: { startedAt: 0, started: 12, ended: 0, total: 400 },
  share: undefined,
  heldBackKeys: [],
  ...changes
})
