/**
 * What the children of this process, and theirs, take of CPU, memory and threads. They are found in passes over /proc:
 * a pass lists all processes, finds out once of each whether it descends from this one, and then looks at those that do.
 *
 * The cost has a bound that no clock decides, so that a process that its quota slows down sees as much as any other:
 * `looksPerSecond`. A look reads one or two files, at some 15 microseconds each; what it finds counts at once, so that a
 * process that grows is seen within the time of a pass.
 */
import type { Parser, PseudoFiles } from "./pseudoFiles.ts"

export interface ProcessStat {
  readonly pid: number
  readonly parent: number
  /** CPU time of the process itself, and of children that have ended, in milliseconds. */
  readonly cpuTime: number
  readonly endedChildrenCpuTime: number
  readonly threads: number
  /** When it was started, in an unknown unit: a number that is given to another process comes with another start. */
  readonly start: number
  /** Pages that are resident, those of files included. */
  readonly pages: number
}

// Linux fixes the unit of these files at 100 ticks a second (USER_HZ) on every architecture that Node.js runs on.
const millisPerTick = 10

/** /proc/<pid>/stat. The name in parentheses may itself hold spaces and parentheses. */
export const parseStat: Parser<ProcessStat> = (text) => {
  const pid = Number.parseInt(text, 10)
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ", 22).map(Number)
  const [, parent, , , , , , , , , , user, system, endedUser, endedSystem, , , threads, , start, , pages] = fields
  const stat = {
    pid,
    parent,
    cpuTime: (user + system) * millisPerTick,
    endedChildrenCpuTime: (endedUser + endedSystem) * millisPerTick,
    threads,
    start,
    pages
  }
  return Object.values(stat).every(Number.isFinite) ? stat : undefined
}

/**
 * /proc/<pid>/status: resident bytes that no file backs. Pages of files and of shared memory would count once for each
 * process that maps them. A process that has ended but was not waited for has none.
 */
export const parseAnonymousMemory: Parser<number> = (text) => {
  const match = /^RssAnon:\s+(\d+) kB$/m.exec(text) ?? /^VmRSS:\s+(\d+) kB$/m.exec(text)
  return match === null ? 0 : Number(match[1]) * 1024
}

export interface ChildrenUse {
  /** CPUs in use, averaged over the time between the last two looks. */
  readonly cpus: number
  /** Bytes. */
  readonly memory: number
  readonly threads: number
}

export interface ProcessTree {
  readonly children: (now: number) => ChildrenUse
}

const looksPerSecond = 1100

/** Entries of /proc that are listed in the time of a look. */
const listedPerLook = 20

const passInterval = 1000

interface Member {
  readonly stat: ProcessStat
  readonly at: number
  readonly cpus: number
  readonly memory: number
  readonly isMemoryNew: boolean
}

export const make = (files: PseudoFiles): ProcessTree => {
  const family = makeFamily(files)
  let pass: Iterator<number> = [].values()
  let passAt = -Infinity
  let lastAt = -Infinity
  let looks = looksPerSecond

  /** The numbers of the processes to look at next: the pass goes on, or the next begins. */
  const next = (now: number): number | undefined => {
    const { done, value } = pass.next()
    if (done !== true) return value
    if (now - passAt < passInterval) return undefined
    const listed = files.list("/proc").map(Number).filter((pid) => pid > 0)
    looks -= listed.length / listedPerLook
    pass = family.begin(listed, now).values()
    passAt = now
    return pass.next().value
  }

  return {
    children: (now) => {
      looks = Math.min(looksPerSecond, looks + (now - lastAt) * looksPerSecond / 1000)
      lastAt = now
      while (looks > 0) {
        const pid = next(now)
        if (pid === undefined) break
        looks -= 1
        family.look(pid, now)
      }
      return family.use()
    }
  }
}

const makeFamily = (files: PseudoFiles) => {
  const members = new Map<number, Member>()
  const ended = makeEndedTime()
  let strangers = new Set<number>()
  let unknown = new Set<number>()
  let self: ProcessStat | undefined
  let listedAt: number | undefined
  let listedBefore: number | undefined

  const statOf = (pid: number) => files.optional(`/proc/${pid}/stat`, parseStat)

  const isRelative = (stat: ProcessStat, now: number): boolean => {
    // A parent that nobody knows yet is looked at first; numbers that name each other as parents end here.
    if (unknown.has(stat.parent)) look(stat.parent, now)
    return stat.parent === self?.pid || members.has(stat.parent)
  }

  const look = (pid: number, now: number): void => {
    const known = members.get(pid)
    const isNew = unknown.delete(pid)
    if (known === undefined ? !isNew : known.at === now) return
    const stat = statOf(pid)
    if (stat === undefined) {
      if (known !== undefined) members.set(pid, { ...known, cpus: 0, memory: 0, isMemoryNew: false })
      return
    }
    if (known !== undefined && known.stat.start === stat.start) {
      ended.gain(stat.endedChildrenCpuTime - known.stat.endedChildrenCpuTime)
      return update(stat, now, perTime(stat.cpuTime - known.stat.cpuTime, now - known.at))
    }
    if (known !== undefined) leave(pid, known)
    if (!isRelative(stat, now)) return void strangers.add(pid)
    // All that it used it used since the list before, in which it was not.
    const used = stat.cpuTime + stat.endedChildrenCpuTime
    update(stat, now, listedBefore === undefined ? 0 : perTime(used, now - listedBefore))
  }

  const update = (stat: ProcessStat, at: number, cpus: number): void => {
    const known = members.get(stat.pid)
    // Where as many pages are resident as before, hardly any of another kind is: every second look is close enough.
    const isMemoryNew = known?.isMemoryNew !== true || known.stat.pages !== stat.pages
    const memory = isMemoryNew ? files.optional(`/proc/${stat.pid}/status`, parseAnonymousMemory) ?? 0 : known.memory
    members.set(stat.pid, { stat, at, cpus, memory, isMemoryNew })
  }

  const leave = (pid: number, { stat }: Member): void => {
    members.delete(pid)
    ended.leave(stat)
  }

  return {
    look,
    /** Takes in a list of all processes, and returns those that are to be looked at, new ones first. */
    begin: (pids: ReadonlyArray<number>, now: number): ReadonlyArray<number> => {
      const listed = new Set(pids)
      const before = self
      self = files.optional("/proc/self/stat", parseStat)
      if (self === undefined) return []
      if (before !== undefined) ended.gain(self.endedChildrenCpuTime - before.endedChildrenCpuTime)
      for (const [pid, member] of members) if (!listed.has(pid)) leave(pid, member)
      if (listedAt !== undefined) ended.settle(now - listedAt)
      listedBefore = listedAt
      listedAt = now
      strangers = new Set(pids.filter((pid) => strangers.has(pid)))
      const { pid: own } = self
      unknown = new Set(pids.filter((pid) => pid !== own && !members.has(pid) && !strangers.has(pid)))
      return [...[...unknown].toSorted(youngestChildrenLast(own)), ...members.keys()]
    },
    use: (): ChildrenUse => {
      let [cpus, memory, threads] = [ended.cpus(), 0, 0]
      for (const member of members.values()) {
        cpus += member.cpus
        memory += member.memory
        threads += member.stat.threads
      }
      return { cpus, memory, threads }
    }
  }
}

// Children come after their parent in number, but for the time when the numbers begin anew.
const youngestChildrenLast = (own: number) => (a: number, b: number): number => a > own === b > own ? a - b : b - a

const perTime = (used: number, elapsed: number): number => elapsed > 0 ? Math.max(0, used) / elapsed : 0

/**
 * The time of children that have ended. A parent's count of it grows by all that a child ever used, most of which was
 * counted while the child ran: that is taken off. As a parent is not looked at in the moment in which a child is missed,
 * what cannot be taken off at once is taken off at the next settlement, and then forgotten: its parent ended too.
 */
const makeEndedTime = () => {
  let gained = 0
  let counted = 0
  let carried = 0
  let cpus = 0
  return {
    gain: (millis: number): void => void (gained += Math.max(0, millis)),
    leave: ({ cpuTime, endedChildrenCpuTime }: ProcessStat): void => void (counted += cpuTime + endedChildrenCpuTime),
    settle: (elapsed: number): void => {
      const rest = gained - counted - carried
      cpus = perTime(rest, elapsed)
      carried = Math.min(counted, Math.max(0, -rest))
      gained = 0
      counted = 0
    },
    cpus: () => cpus
  }
}
