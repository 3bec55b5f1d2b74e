/**
 * Programs that were wrong once, as the property printed them, by what the pool did wrong, or by where the model was wrong
 * about a pool that did right.
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
  },
  "is taken for wrong where a new pace lets what it had looked for start beside a try that is due": {
    from: "iterable",
    pace: 100,
    retry: { times: 1, pause: 211 },
    items: 4,
    tasks: [
      { end: "fail" }
    ],
    steps: [
      { after: 1, actions: [{ do: "run" }] },
      { after: 101, actions: [{ do: "nothing" }] },
      { after: 110, actions: [{ do: "configure", change: { pace: 0 } }] }
    ]
  },
  "is taken for wrong where what it had looked for goes back to its source at a drain": {
    from: "iterable",
    pace: 100,
    retry: { times: 1, pause: 211 },
    items: 4,
    tasks: [
      { end: "fail" },
      { wait: 111 }
    ],
    steps: [
      { after: 1, actions: [{ do: "run" }] },
      { after: 101, actions: [{ do: "nothing" }] },
      { after: 1, actions: [{ do: "configure", change: { pace: 1500 } }] },
      { after: 2503, actions: [{ do: "nothing" }] },
      { after: 44, actions: [{ do: "nothing" }] },
      { after: 43, actions: [{ do: "signal", name: "memory", says: "idle" }] },
      { after: 408, actions: [{ do: "drain" }] },
      { after: 148, actions: [{ do: "run" }] },
      { after: 4, actions: [{ do: "configure", change: { min: 2, max: 8, desired: 9, pace: 250 } }] },
      { after: 1063, actions: [{ do: "configure", change: { min: 5, max: 6 } }] }
    ]
  },
  "is taken for wrong where what arrived during a pause starts before a try that is due at its end": {
    from: "pull",
    retry: { times: 1, pause: 211 },
    questions: [0, 0, 1409],
    isClosed: false,
    tasks: [
      { end: "fail" },
      { wait: 307 },
      { end: "fail", wait: 1103 },
      { cleanup: 101 }
    ],
    max: 2,
    desired: 2,
    steps: [
      { after: 1, actions: [{ do: "run" }] },
      { after: 1, actions: [{ do: "add", count: 4 }] },
      { after: 1009, actions: [{ do: "pauseFor", millis: 2003 }] }
    ]
  },
  "is taken for wrong where takes are withdrawn for a task that holds the pool": {
    from: "lease",
    questions: [0, 503],
    items: 1,
    tasks: [
      { wait: 53, act: { do: "pauseFor", millis: 97 } }
    ],
    max: 2,
    desired: 2,
    steps: [
      { after: 1, actions: [{ do: "run" }] }
    ]
  },
  "is taken for wrong where several tasks are given up at once": {
    timeout: 144,
    absorb: { wait: 0, end: "succeed" },
    patience: 53,
    items: 6,
    tasks: [
      {},
      { cleanup: 809 }
    ],
    max: 6,
    desired: 6,
    steps: [
      { after: 1, actions: [{ do: "run" }] },
      { after: 401, actions: [{ do: "nothing" }] }
    ]
  },
  "is taken for wrong where a queue breaks in the turn of a drain": {
    from: "queue",
    isClosed: false,
    steps: [
      { after: 1, actions: [{ do: "run" }] },
      { after: 1, actions: [{ do: "nothing" }, { do: "drain" }, { do: "break" }] }
    ]
  }
}
