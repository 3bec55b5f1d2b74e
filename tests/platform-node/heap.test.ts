/**
 * The JavaScript heap as the `memory` signal sees it: what V8 can fill, and what of that is in use, garbage apart.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { execFile } from "node:child_process"
import * as path from "node:path"
import { promisify } from "node:util"
import * as heapLimit from "../../packages/platform-node/src/internal/heap/heapLimit.ts"
import * as heapUse from "../../packages/platform-node/src/internal/heap/heapUse.ts"
import { GiB, MiB } from "./machine.ts"

const v8 = {
  node20: "11.3.244.8-node.36",
  node22: "12.4.254.21-node.33",
  node24: "13.6.233.10-node.28",
  node26: "14.6.202.34-node.20"
}

/** The limit of the old generation in MiB, of a heap limit in MiB. */
const limitOf = (
  version: keyof typeof v8,
  heapSizeLimit: number,
  options: { readonly memory?: number; readonly flags?: string; readonly youngOfWorker?: number } = {}
) =>
  heapLimit.oldGenerationLimit({
    heapSizeLimit: heapSizeLimit * MiB,
    v8Version: v8[version],
    memory: options.memory ?? 24 * GiB,
    flags: options.flags ?? "",
    youngOfWorker: options.youngOfWorker
  }) / MiB

describe("the limit of the old generation", () => {
  it("is heap_size_limit without the young generation, as each version of Node.js sizes it", () => {
    // What `node -p "v8.getHeapStatistics().heap_size_limit"` printed in a control group of so many MiB.
    const measured = [
      ["node20", 259, 512, 256],
      ["node20", 362, 700, 350],
      ["node20", 774, 1500, 750],
      ["node20", 2096, 4096, 2048],
      ["node22", 259, 128, 256],
      ["node22", 524, 1024, 512],
      ["node22", 1548, 3000, 1500],
      ["node22", 4144, 24_000, 4096],
      ["node24", 259, 512, 256],
      ["node24", 398, 700, 350],
      ["node24", 846, 1500, 750],
      ["node24", 2240, 8192, 2048],
      ["node26", 262, 256, 256],
      ["node26", 268, 512, 256],
      ["node26", 374, 700, 350],
      ["node26", 1072, 2048, 1024],
      ["node26", 4192, 24_000, 4096]
    ] as const
    for (const [version, heapSizeLimit, memory, old] of measured) {
      assert.strictEqual(limitOf(version, heapSizeLimit, { memory: memory * MiB }), old, `${version}, ${memory} MiB`)
    }
  })

  it("is what a share of the memory comes to", () => {
    assert.strictEqual(limitOf("node26", 2506, { flags: "--max-old-space-size-percentage=10" }), 2410)
  })

  it("is the one that was asked for, however it was written; the last word counts", () => {
    assert.strictEqual(limitOf("node26", 296, { flags: "--max-old-space-size=200" }), 200)
    assert.strictEqual(limitOf("node24", 392, { flags: "--max_old_space_size=200" }), 200)
    assert.strictEqual(
      limitOf("node22", 560, { flags: "--max-old-space-size=200 --trace-gc --max-old-space-size=512" }),
      512
    )
  })

  it("is not the one that was asked for where V8 has not taken it", () => {
    assert.strictEqual(limitOf("node26", 296, { flags: "--max-old-space-size=4000" }), 200)
  })

  it("knows of semi-spaces of other sizes, which V8 rounds up to powers of two", () => {
    const asked = (flags: string) => ({ flags })
    assert.strictEqual(limitOf("node26", 4288, asked("--max-semi-space-size=64")), 4096)
    assert.strictEqual(limitOf("node22", 4144, asked("--max-semi-space-size=9")), 4096)
    assert.strictEqual(limitOf("node26", 4099, asked("--optimize-for-size")), 4096)
  })

  it("without the flag of old space, the rule alone finds it", () => {
    assert.strictEqual(limitOf("node22", 248), 200)
    assert.strictEqual(limitOf("node24", 392), 200)
    assert.strictEqual(limitOf("node26", 296), 200)
  })

  it("is less than a limit of the whole heap, by a part of that", () => {
    assert.strictEqual(limitOf("node22", 300, { flags: "--max-heap-size=300" }), 288)
    assert.isBelow(limitOf("node26", 1000, { flags: "--max-heap-size=1000" }), 1000)
  })

  it("in a worker thread is what Node.js has given it", () => {
    assert.strictEqual(limitOf("node26", 106, { youngOfWorker: 6 * MiB, flags: "--max-old-space-size=4000" }), 100)
  })

  it("is never less than half of the heap, and of an unknown version what the newest has", () => {
    assert.strictEqual(limitOf("node24", 100), 50)
    assert.strictEqual(
      heapLimit.oldGenerationLimit({ heapSizeLimit: 296 * MiB, v8Version: "99.1", memory: Infinity, flags: "" }) / MiB,
      200
    )
  })
})

describe("the use of the old generation", () => {
  /** Sizes as they are seen; a pair is what a full collection left of what was there before. */
  const after = (...sizes: ReadonlyArray<number | readonly [before: number, after: number]>) =>
    sizes.reduce<heapUse.HeapUse>((use, size) =>
      typeof size === "number"
        ? heapUse.grown(use, size)
        : heapUse.collected(heapUse.grown(use, size[0]), size[1]), heapUse.initial)

  const living = (use: heapUse.HeapUse, used: number) => heapUse.living(use, used, 200)

  it("counts everything until collections have told", () => {
    assert.strictEqual(living(after(50), 80), 80)
    assert.strictEqual(living(after([80, 60]), 90), 90)
    assert.isBelow(living(after([80, 60], [100, 60]), 90), 90)
  })

  it("does not count what has only ever been garbage, as long as there is room", () => {
    const use = after([120, 60], [120, 60], [110, 60])
    assert.strictEqual(living(use, 60), 60)
    assert.approximately(living(use, 74), 61.4, 1e-9)
    assert.approximately(living(use, 130), 95, 1e-9)
    assert.approximately(living(use, 193), 186.35, 1e-9)
    assert.strictEqual(living(use, 201), 201)
  })

  it("counts growth where some of it has lived on, the more of two cycles", () => {
    assert.approximately(living(after([80, 60], [100, 80], [120, 80]), 100), 100 - 10 * 100 / 120, 1e-9)
    assert.strictEqual(living(after([80, 60], [100, 100], [140, 100]), 130), 130)
  })

  it("counts growth in full as soon as one collection has found it to live", () => {
    const use = after([100, 50], [100, 50], [100, 50], [110, 110])
    assert.strictEqual(living(use, 140), 140)
  })

  it("forgets what lived on before the last two collections", () => {
    const use = after([100, 50], [100, 90], [190, 90], [190, 90])
    assert.strictEqual(living(use, 90), 90)
    assert.approximately(living(use, 145), 117.5, 1e-9) // all of the 55 is garbage, of which half of the room counts
  })

  it("is never more than all that is there, and cycles of next to nothing tell nothing", () => {
    assert.strictEqual(living(after([120, 100], [140, 100]), 70), 70)
    const garbage = after([120, 60], [120, 60], [110, 60])
    assert.deepStrictEqual(heapUse.collected(garbage, 60.5).kept, garbage.kept)
  })
})

const run = (flags: ReadonlyArray<string>, ...args: ReadonlyArray<string>) =>
  Effect.promise(async (signal) => {
    const program = path.join(import.meta.dirname, "programs", "heap.ts")
    const { stdout } = await promisify(execFile)(process.execPath, [...flags, program, ...args], { signal })
    const lines = stdout.trimEnd().split("\n").map((line) => JSON.parse(line))
    return lines as ReadonlyArray<{ load: number; own: number; of: string; isOverloaded: boolean; old: number }> // as it tells
  })

describe("real heap", () => {
  it.live("184 MB of live arrays under 200: nearly all of what V8 can fill", () =>
    Effect.gen(function*() {
      const [last] = (yield* run(["--max-old-space-size=200"], "fill", "184")).slice(-1)
      assert.strictEqual(last.of, "V8 heap")
      assert.isAtLeast(last.load, 0.92)
      assert.isTrue(last.isOverloaded)
      assert.strictEqual(last.own, last.load)
    }))

  it.live("garbage at half of the heap, old garbage too: idle by the signal's own share of time", () =>
    Effect.gen(function*() {
      // With small semi-spaces most of it is promoted before it dies.
      const lines = yield* run(["--max-old-space-size=200", "--max-semi-space-size=2"], "garbage", "85")
      assert.isAbove(Math.max(...lines.map(({ old }) => old)), 125)
      // Until a cycle has been seen everything counts, and a busy machine tells of collections late.
      assert.isAtMost(lines.filter(({ isOverloaded }) => isOverloaded).length / lines.length, 0.2)
      assert.isAbove(Math.min(...lines.slice(15).map(({ load }) => load)), 0.45)
    }))
})
