import { assert, describe, it } from "@effect/vitest"
import * as cgroupCpu from "../../packages/platform-node/src/internal/cgroup/cgroupCpu.ts"
import * as cgroupMemory from "../../packages/platform-node/src/internal/cgroup/cgroupMemory.ts"
import * as machine from "../../packages/platform-node/src/internal/host/machine.ts"
import * as processTree from "../../packages/platform-node/src/internal/host/processTree.ts"
import * as bound from "../../packages/platform-node/src/internal/sampling/bound.ts"
import * as Machine from "./machine.ts"

const refuses = (parse: (text: string) => unknown, texts: ReadonlyArray<string>) => {
  for (const text of texts) assert.isUndefined(parse(text), JSON.stringify(text))
}

describe("parsers", () => {
  it("memory limits", () => {
    assert.strictEqual(cgroupMemory.parseLimit("536870912\n"), 512 * Machine.MiB)
    assert.strictEqual(cgroupMemory.parseLimit("max\n"), Infinity)
    assert.isAbove(cgroupMemory.parseLimit("9223372036854771712\n") ?? 0, 2 ** 62)
    refuses(cgroupMemory.parseLimit, ["", "\n", "-1\n", "-4096", "0\n", "abc", "12kB", "1.5", "0x10", "maximum"])
  })

  it("memory.stat of version 2: clean file pages and reclaimable slab can be given back", () => {
    const parse = cgroupMemory.parseStat(2)
    const text =
      "anon 1000\nfile 900\nshmem 300\ninactive_file 400\nactive_file 200\nfile_dirty 50\nfile_writeback 30\n" +
      "unevictable 70\nslab_reclaimable 25\nslab_unreclaimable 99\ntotal_inactive_file 7\n"
    assert.deepStrictEqual(parse(text), { idle: 345, active: 200, hierarchicalLimit: Infinity })
    refuses(parse, ["", "inactive_file\n", "inactive_file -5\n", "anon 1\n", "not_inactive_file 56\n"])
  })

  it("memory.stat of version 1: the totals count, and the limits of all ancestors are told", () => {
    const parse = cgroupMemory.parseStat(1)
    const text = "inactive_file 1\nactive_file 2\nhierarchical_memory_limit 5000\nhierarchical_memsw_limit 9000\n" +
      "total_inactive_file 400\ntotal_active_file 200\ntotal_dirty 450\ntotal_writeback 0\n"
    assert.deepStrictEqual(parse(text), { idle: 0, active: 150, hierarchicalLimit: 5000 })
    refuses(parse, ["inactive_file 1\n"])
  })

  it("pressure: the share of time in which some task waited", () => {
    const text = "some avg10=12.50 avg60=1.00 avg300=0.00 total=2122\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=1\n"
    assert.strictEqual(cgroupMemory.parsePressure(text), 0.125)
    refuses(cgroupMemory.parsePressure, ["", "full avg10=0.00\n", "some avg10=x\n"])
  })

  it("quotas of version 2", () => {
    assert.strictEqual(cgroupCpu.parseMax("50000 100000\n"), 0.5)
    assert.strictEqual(cgroupCpu.parseMax("max 100000\n"), Infinity)
    assert.strictEqual(cgroupCpu.parseMax("10000\t  33333 \n"), 10_000 / 33_333)
    refuses(cgroupCpu.parseMax, ["", "50000", "max", "-1 100000", "0 100000", "50000 0", "a b"])
  })

  it("quotas of version 1", () => {
    assert.strictEqual(cgroupCpu.parseQuota("150000\n"), 150_000)
    assert.strictEqual(cgroupCpu.parseQuota("-1\n"), Infinity)
    refuses(cgroupCpu.parseQuota, ["", "-2", "x"])
  })

  it("CPU use of both versions, in milliseconds", () => {
    assert.strictEqual(cgroupCpu.parseUsage("usage_usec 2500000\nuser_usec 1\n"), 2500)
    assert.strictEqual(cgroupCpu.parseAccount("2500000000\n"), 2500)
    refuses(cgroupCpu.parseUsage, ["", "user_usec 5\n", "usage_usec -1\n"])
    refuses(cgroupCpu.parseAccount, ["", "-1", "many"])
  })

  it("the machine's memory", () => {
    assert.deepStrictEqual(machine.parseMeminfo(Machine.meminfo({ total: 4 * Machine.GiB, available: Machine.GiB })), {
      total: 4 * Machine.GiB,
      available: Machine.GiB
    })
    refuses(machine.parseMeminfo, ["", "MemTotal: 10 kB\n", "MemTotal: 0 kB\nMemAvailable: 0 kB\n", "MemTotal: -1\n"])
  })

  it("CPU times: stolen time is busy, waiting for input is not, guests count once", () => {
    const text = "cpu  99 99 99 99 99 99 99 99 99 99\ncpu0 10 1 2 50 7 3 4 5 6 1\ncpu1 0 0 0 80 0 0 0 0 0 0\n"
    assert.deepStrictEqual(machine.parseCpuTimes(undefined)(text), { cpus: 2, busy: 25, total: 162 })
  })

  it("CPU times of the allowed CPUs alone", () => {
    const text = "cpu  1 0 0 1 0 0 0 0 0 0\ncpu0 10 0 0 0 0 0 0 0 0 0\ncpu1 0 0 0 80 0 0 0 0 0 0\n"
    assert.deepStrictEqual(machine.parseCpuTimes(new Set([1, 7]))(text), { cpus: 1, busy: 0, total: 80 })
    refuses(machine.parseCpuTimes(undefined), ["", "cpu  1 2 3 4\n", "cpu0 0 0 0 0 0 0 0 0 0 0\n", "nonsense"])
  })

  it("allowed CPUs", () => {
    const cpus = (list: string) => [...machine.parseAllowedCpus(Machine.status({ cpus: list })) ?? []]
    assert.deepStrictEqual(cpus("0-3"), [0, 1, 2, 3])
    assert.deepStrictEqual(cpus("5"), [5])
    assert.deepStrictEqual(cpus("0-1,4,6-7"), [0, 1, 4, 6, 7])
    refuses(machine.parseAllowedCpus, ["", "Name: node\n", "Cpus_allowed_list:\tall\n"])
  })

  it("lists of CPUs", () => {
    const cpus = (list: string) => [...machine.parseCpuList(list) ?? []]
    assert.deepStrictEqual(cpus("0-1,5\n"), [0, 1, 5])
    assert.deepStrictEqual(cpus("\n"), [])
    refuses(machine.parseCpuList, ["all", "-1", "1--2", "1 2", "a-b"])
  })

  it("processes, whatever they are called", () => {
    const stat = processTree.parseStat(Machine.processStat(42, 7, { user: 150, ended: 25 }, "a b) (c"))
    assert.deepStrictEqual(stat, {
      pid: 42,
      parent: 7,
      cpuTime: 1500,
      endedChildrenCpuTime: 250,
      threads: 11,
      start: 5,
      pages: 7
    })
    refuses(processTree.parseStat, ["", "42", "42 (node) S", "x (node) S 1 1 1"])
  })

  it("memory that no file backs; an old kernel tells resident memory only, an ended process none", () => {
    const parse = processTree.parseAnonymousMemory
    assert.strictEqual(parse(Machine.status({ anonymous: 2 * Machine.MiB })), 2 * Machine.MiB)
    assert.strictEqual(parse("Name:\tx\nVmRSS:\t   2048 kB\n"), 2 * Machine.MiB)
    assert.strictEqual(parse("Name:\tx\nState:\tZ (zombie)\n"), 0)
  })
})

describe("bound", () => {
  it("is none without a level", () => {
    assert.isUndefined(bound.tightest([]))
  })

  it("takes the tightest limit and the smallest headroom of different groups", () => {
    const tight = bound.tightest([{ limit: 100, used: 20 }, { limit: 1000, used: 990 }])
    assert.deepStrictEqual(tight, { limit: 100, headroom: 10 })
  })

  it("turns into a load that may exceed 1 and is never negative", () => {
    assert.strictEqual(bound.loadOf({ limit: 100, headroom: 25 }), 0.75)
    assert.strictEqual(bound.loadOf({ limit: 100, headroom: -50 }), 1.5)
    assert.strictEqual(bound.loadOf({ limit: 100, headroom: 100 }), 0)
  })
})
