/**
 * The processes of the demo, started and ended as an operator or a machine would.
 */
import type { PoolSnapshot } from "@autoscaled-pool/core"
import { type ChildProcess, spawn } from "node:child_process"
import * as path from "node:path"
import type { Ending } from "./verdict.ts"

export interface Worker {
  readonly name: string
  readonly child: ChildProcess
  /** What its pool is doing, as it last said. */
  snapshot: PoolSnapshot.PoolSnapshot | undefined
  ending: Ending | undefined
  /** Resolves when the process has ended, with the milliseconds of the wall clock. */
  readonly ended: Promise<number>
}

const programs = import.meta.dirname

export const startWorker = (store: string, folder: string, name: string, maximum = 20, minimum = 1): Worker => {
  const args = [path.join(programs, "worker.ts"), store, folder, name, `${maximum}`, `${minimum}`]
  const child = spawn(process.execPath, args, {
    stdio: ["ignore", "pipe", "inherit"]
  })
  const ended = new Promise<number>((resolve) => child.once("exit", () => resolve(Date.now())))
  const worker: Worker = { name, child, snapshot: undefined, ending: undefined, ended }
  let rest = ""
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    const lines = (rest + text).split("\n")
    rest = lines.pop() ?? ""
    const last = lines.findLast((line) => line.startsWith("{"))
    if (last !== undefined) worker.snapshot = JSON.parse(last)
  })
  return worker
}

export const end = (worker: Worker, signal: Exclude<Ending["signal"], "outage">): void => {
  worker.ending = { worker: worker.name, signal, at: Date.now() }
  worker.child.kill(signal)
}

/** Runs the producer to its end. */
export const produce = (store: string, jobs: number, millis: number): Promise<void> =>
  new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [path.join(programs, "producer.ts"), store, `${jobs}`, `${millis}`], {
      stdio: ["ignore", "ignore", "inherit"]
    })
    child.once("exit", (code) => code === 0 ? resolve() : reject(new Error(`the producer ended with ${code}`)))
  })
