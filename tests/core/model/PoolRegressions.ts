/**
 * Programs that were wrong once, as the property printed them, by what the pool did wrong.
 */
import type { Program } from "./PoolProgram.ts"

export const regressions: Readonly<Record<string, Partial<Program>>> = {
  "goes round in circles while a leased source thinks and only the pace is against a start": {
    from: "lease",
    pace: 1500,
    questions: [100],
    items: 2,
    steps: [
      { after: 1, actions: [{ do: "run" }] }
    ]
  },
  "ends on the word that it had before a pause, though there is work again": {
    finals: [300, 503],
    tasks: [
      { wait: 53 }
    ],
    steps: [
      { after: 1, actions: [{ do: "run" }] },
      { after: 100, actions: [{ do: "pause" }] },
      { after: 300, actions: [{ do: "add", count: 1 }] },
      { after: 100, actions: [{ do: "resume" }] }
    ]
  },
  "lets a source wait that said `Empty` before the news came": {
    from: "pull",
    questions: [505],
    items: 1,
    isClosed: false,
    tasks: [
      { wait: 109 }
    ],
    max: 4,
    desired: 4,
    steps: [
      { after: 1, actions: [{ do: "run" }] }
    ]
  },
  "takes for the news of a take the end of the task before it": {
    from: "pull",
    questions: [61],
    items: 7,
    tasks: [
      { cleanup: 101 }
    ],
    min: 2,
    max: 6,
    desired: 6,
    steps: [
      { after: 1, actions: [{ do: "run" }] }
    ]
  },
  "loses the failure of a leased task that was interrupted": {
    from: "pull",
    items: 1,
    isClosed: false,
    tasks: [
      { cleanup: 809, act: { do: "add", count: 1 }, end: "fail" }
    ],
    max: 2,
    desired: 2,
    steps: [
      { after: 1, actions: [{ do: "run" }] }
    ]
  },
  "gives a leased item back whose task failed at once": {
    from: "lease",
    questions: [61],
    isClosed: false,
    tasks: [
      { end: "fail" }
    ],
    steps: [
      { after: 1, actions: [{ do: "run" }] },
      { after: 1, actions: [{ do: "add", count: 1 }] },
      { after: 562, actions: [{ do: "nothing" }] },
      { after: 1, actions: [{ do: "run" }] }
    ]
  },
  "takes a task for younger than it is after its time limit": {
    timeout: 503,
    absorb: { wait: 307, end: "succeed" },
    policy: { law: "script", every: 409, atStart: false, decisions: [{ desired: 0, allowance: -1 }] },
    items: 4,
    tasks: [
      { wait: 1103 },
      { cleanup: 101 }
    ],
    steps: [
      { after: 1, actions: [{ do: "run" }] }
    ]
  }
}
