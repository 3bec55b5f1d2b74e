/**
 * The ledger: what each worker did, one line an event, appended at once so that a kill loses none of it.
 */
import * as fs from "node:fs"
import * as path from "node:path"

export interface Entry {
  /** Milliseconds of the wall clock, which the processes of one machine share. */
  readonly at: number
  readonly worker: string
  readonly job: number
  readonly attempt: number
  readonly event: "started" | "done" | "interrupted" | "acknowledged"
}

export const writerTo = (folder: string, worker: string) => {
  const file = path.join(folder, `${worker}.ledger`)
  return (job: number, attempt: number, event: Entry["event"]): void =>
    fs.appendFileSync(file, `${Date.now()} ${worker} ${job} ${attempt} ${event}\n`)
}

const parse = (line: string): Entry => {
  const [at, worker, job, attempt, event] = line.split(" ")
  return { at: Number(at), worker, job: Number(job), attempt: Number(attempt), event: event as Entry["event"] }
}

/** All entries in the order of their time. A line that a kill has cut short does not count. */
export const read = (folder: string): Array<Entry> =>
  fs.readdirSync(folder)
    .filter((file) => file.endsWith(".ledger"))
    .flatMap((file) => fs.readFileSync(path.join(folder, file), "utf8").split("\n").slice(0, -1))
    .filter((line) => /^\d+ \S+ \d+ \d+ (?:started|done|interrupted|acknowledged)$/.test(line))
    .map(parse)
    .toSorted((a, b) => a.at - b.at)
