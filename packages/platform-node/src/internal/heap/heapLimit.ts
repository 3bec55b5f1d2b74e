/**
 * How much V8's old generation may hold: what lives for longer than a moment ends there, and V8 aborts the process when it
 * is full. `heap_size_limit` is more, by the young generation's share of three semi-spaces, and V8 tells neither part.
 *
 * The old generation's part follows from what the program was started with. The size of a semi-space is the rule of V8's
 * `Heap::ConfigureHeap` and `Heap::GenerationSizesFromHeapSize` (src/heap/heap.cc), as Node.js 20 to 26 apply it.
 */

const MiB = 2 ** 20

/** Sizes in bytes. */
export interface Circumstances {
  /** `heap_size_limit` of `v8.getHeapStatistics()`. */
  readonly heapSizeLimit: number
  /** Such as "14.6.202.34-node.20". */
  readonly v8Version: string
  /** What V8 sizes its heap by: the machine's memory, or that of the process's own control group. */
  readonly memory: number
  /** NODE_OPTIONS and the arguments of the command line, of which the last of a kind counts. */
  readonly flags: string
  /** In a worker thread Node.js tells the young generation's share: `resourceLimits.maxYoungGenerationSizeMb`. */
  readonly youngOfWorker?: number | undefined
}

export const oldGenerationLimit = (circumstances: Circumstances): number => {
  const { flags, heapSizeLimit, youngOfWorker } = circumstances
  if (youngOfWorker !== undefined) return rest(heapSizeLimit, youngOfWorker)
  const given = megabytes(flags, "max-old-space-size")
  // The flag's own word, where V8 has taken it: it is right for versions too that size semi-spaces otherwise.
  if (given !== undefined && given < heapSizeLimit) return given
  return rest(heapSizeLimit, semiSpacesOfYoung * semiSpace(circumstances))
}

/** What the young generation may come to hold at once beside what it copies from: V8 sets aside three semi-spaces. */
const semiSpacesOfYoung = 3

/** No program runs with a young generation larger than the old one: what says so was misunderstood. */
const rest = (heapSizeLimit: number, young: number): number => Math.max(heapSizeLimit - young, heapSizeLimit / 2)

const semiSpace = ({ flags, heapSizeLimit, memory, v8Version }: Circumstances): number => {
  const given = megabytes(flags, "max-semi-space-size")
  if (given !== undefined) return powerOfTwo(given)
  if (/--(optimize[-_]for[-_]size|lite[-_]mode)\b/.test(flags)) return MiB
  const rule = ruleOf(v8Version)
  // Half of the memory, at most, becomes heap: a heap of a given size is taken for one of that origin.
  return sized(rule, megabytes(flags, "max-heap-size") === undefined ? memory : 2 * heapSizeLimit)
}

const megabytes = (flags: string, name: string): number | undefined => {
  const spelling = name.replaceAll("-", "[-_]")
  const [last] = [...flags.matchAll(new RegExp(`--${spelling}[= ](\\d+)`, "g"))].slice(-1)
  const value = Number(last?.[1] ?? 0)
  return value > 0 ? value * MiB : undefined
}

/** Bytes of a semi-space: `least` up to `little` memory, then one for every `per` of memory, `most` in the end. */
interface Rule {
  readonly least: number
  readonly most: number
  readonly per: number
  readonly little: number
}

/** Measured with Node.js 20 and 22, 24, and 26, with 64 MiB to 20 GiB of memory. */
const rules: ReadonlyArray<readonly [v8: number, rule: Rule]> = [
  [14, { least: 2 * MiB, most: 32 * MiB, per: 128, little: 256 * MiB }],
  [13, { least: MiB, most: 64 * MiB, per: 64, little: 512 * MiB }],
  [0, { least: MiB, most: 16 * MiB, per: 256, little: 512 * MiB }]
]

const ruleOf = (version: string): Rule => {
  const major = Number.parseInt(version, 10)
  const [, rule] = rules.find(([since]) => major >= since) ?? rules[0]
  return rule
}

const sized = ({ least, little, most, per }: Rule, memory: number): number =>
  memory <= little ? least : Math.min(most, powerOfTwo(memory / per))

const powerOfTwo = (bytes: number): number => 2 ** Math.ceil(Math.log2(bytes))
