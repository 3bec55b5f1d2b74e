/**
 * The JavaScript heap of this thread, as V8 fills it. Each worker thread has one of its own, which only that thread sees.
 *
 * Collections are learned of from `PerformanceObserver`, whose entries cost next to nothing. `v8.GCProfiler` would tell
 * sizes right before and after each, but takes 0.3 milliseconds a collection, more than most collections do.
 */
import * as os from "node:os"
import { constants, performance, type PerformanceEntry, PerformanceObserver } from "node:perf_hooks"
import * as v8 from "node:v8"
import { resourceLimits } from "node:worker_threads"
import { oldGenerationLimit } from "./heapLimit.ts"
import * as heapUse from "./heapUse.ts"

/** Bytes: what is in use, garbage apart, of what may be before V8 collects all at every turn, and then aborts. */
export interface Heap {
  readonly used: number
  readonly limit: number
  /** When the last full collection ended, or the heap was read first, by `performance.now()`; where that can be known. */
  readonly collectedAt?: number | undefined
}

let use = heapUse.initial
let limit: number | undefined
let isWatched = false
let collectedAt: number | undefined

export const read = (): Heap => {
  const now = spaces()
  if (now === undefined) return told()
  watch()
  limit ??= readLimit()
  // A collection that has not been announced yet leaves less than was known to live.
  use = heapUse.grown(use, now.old)
  return { used: heapUse.living(use, now.old, limit), limit: room(limit, now.youngCapacity), collectedAt }
}

/**
 * V8 makes a full collection of every quick one as soon as the old generation could not take in a whole young one
 * (`Heap::SelectGarbageCollector`): that much must stay free of it. A young generation of more than half can only shrink.
 *
 * And it aborts a process whose old generation is four fifths full where four full collections in turn take more of the
 * time than the program (`Heap::CheckIneffectiveMarkCompact`), which on a busy machine they do.
 */
const room = (limit: number, youngCapacity: number): number =>
  limit - Math.max(limit / 5, Math.min(youngCapacity, limit / 2))

/** Where the runtime is not V8, or does not tell of spaces. */
const told = (): Heap => {
  const { heap_size_limit: limit, used_heap_size: used } = v8.getHeapStatistics()
  return { used, limit }
}

/** Bytes of the old generation, garbage included, and how much the young one holds at most for now. */
interface Spaces {
  readonly old: number
  readonly youngCapacity: number
}

const spaces = (): Spaces | undefined => {
  try {
    let old = 0
    let youngCapacity = 0
    for (const space of v8.getHeapSpaceStatistics()) {
      if (space.space_name === "new_space") youngCapacity = space.space_used_size + space.space_available_size
      else if (!notOld.has(space.space_name)) old += space.space_used_size
    }
    return old > 0 ? { old, youngCapacity } : undefined
  } catch {
    return undefined
  }
}

// Large objects that are young lie in their old place already, and are promoted without a copy.
const notOld = new Set(["new_large_object_space", "read_only_space"])

// For as long as the thread lives: an observer neither costs time while nothing is collected nor keeps a process alive.
const watch = (): void => {
  if (isWatched) return
  isWatched = true
  // The types leave out what every runtime has.
  const { supportedEntryTypes = [] } = PerformanceObserver as { readonly supportedEntryTypes?: ReadonlyArray<string> }
  if (!supportedEntryTypes.includes("gc")) return
  collectedAt = performance.now()
  new PerformanceObserver((list) => {
    const now = spaces()
    if (now === undefined) return
    const full = list.getEntries().findLast(isFull)
    use = full === undefined ? heapUse.grown(use, now.old) : heapUse.collected(use, now.old)
    if (full !== undefined) collectedAt = full.startTime + full.duration
  }).observe({ type: "gc" })
}

// Entries of collections have a detail, which the type of entries in general leaves out.
const isFull = (entry: PerformanceEntry & { readonly detail?: { readonly kind?: number } }): boolean =>
  entry.detail?.kind === constants.NODE_PERFORMANCE_GC_MAJOR

const readLimit = (): number =>
  oldGenerationLimit({
    heapSizeLimit: v8.getHeapStatistics().heap_size_limit,
    v8Version: process.versions.v8,
    memory: memory(),
    flags: [process.env.NODE_OPTIONS ?? "", ...process.execArgv].join(" "),
    youngOfWorker: mebibytes(resourceLimits?.maxYoungGenerationSizeMb)
  })

const mebibytes = (value: number | undefined): number | undefined => value === undefined ? undefined : value * 2 ** 20

/** As Node.js reads it when it makes the heap: the process's own control group counts, and none of its ancestors. */
const memory = (): number => {
  try {
    const constrained = process.constrainedMemory()
    return Math.min(os.totalmem(), constrained > 0 ? constrained : Infinity)
  } catch {
    // Where nothing tells, V8 makes the young generation as large as it ever does.
    return Infinity
  }
}
