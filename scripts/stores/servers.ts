/**
 * Servers of their own for tests and measurements: on a free port of the loopback interface, with data that is thrown
 * away.
 */
import { type ChildProcess, spawn, spawnSync } from "node:child_process"
import * as fs from "node:fs"
import * as net from "node:net"
import * as os from "node:os"
import * as path from "node:path"
import { findPostgres, findRedis, type Found } from "./install.ts"

export interface Server {
  readonly url: string
  readonly port: number
  readonly pid: () => number | undefined
  /** What it has written to its standard output and error. */
  readonly output: () => string
  readonly start: () => Promise<void>
  /** Ends it and waits; `SIGKILL` is a crash. */
  readonly stop: (signal?: NodeJS.Signals) => Promise<void>
  /** Ends it and removes its data. */
  readonly dispose: () => Promise<void>
}

export const freePort = (): Promise<number> =>
  new Promise((resolve, reject) => {
    const server = net.createServer().on("error", reject)
    server.listen(0, "127.0.0.1", () => {
      const address = server.address()
      server.close(() => typeof address === "object" && address !== null ? resolve(address.port) : reject(address))
    })
  })

const sleep = (millis: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, millis))

const isListening = (port: number, host = "127.0.0.1"): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = net.connect(port, host)
    socket.once("connect", () => resolve((socket.destroy(), true))).once("error", () => resolve(false))
  })

const directoryOf = (found: Found): string => {
  if ("missing" in found) throw new Error(found.missing)
  return found.directory
}

interface Program {
  readonly command: string
  readonly args: ReadonlyArray<string>
  readonly uid?: number
  readonly gid?: number
  readonly env?: NodeJS.ProcessEnv
}

/** A server whose program listens on a port until it is told to stop. */
const serverOf = (
  program: Program,
  url: string,
  port: number,
  data: string,
  isReady: () => Promise<boolean>
): Server => {
  let child: ChildProcess | undefined
  let output = ""
  const { args, command, ...identity } = program
  const stop = async (signal: NodeJS.Signals = "SIGINT"): Promise<void> => {
    const running = child
    child = undefined
    if (running === undefined || running.exitCode !== null || running.signalCode !== null) return
    const ended = new Promise<void>((resolve) => running.once("exit", () => resolve()))
    running.kill("SIGCONT")
    running.kill(signal)
    const killer = setTimeout(() => running.kill("SIGKILL"), 5000)
    await ended
    clearTimeout(killer)
  }
  const start = async (): Promise<void> => {
    const started = spawn(command, args, { ...identity, cwd: data, stdio: ["ignore", "pipe", "pipe"] })
    child = started
    output = ""
    for (const stream of [started.stdout, started.stderr]) stream.on("data", (text) => (output += text))
    for (let tries = 0; tries < 300; tries++) {
      if (started.exitCode !== null) throw new Error(`${command} ended:\n${output}`)
      if (await isReady()) return
      await sleep(50)
    }
    throw new Error(`${command} does not listen on ${port}:\n${output}`)
  }
  const kill = () => child?.kill("SIGKILL")
  process.setMaxListeners(Infinity)
  process.once("exit", kill)
  endOnSignals()
  return {
    url,
    port,
    pid: () => child?.pid,
    output: () => output,
    start,
    stop,
    dispose: async () => {
      await stop("SIGKILL")
      process.off("exit", kill)
      fs.rmSync(data, { recursive: true, force: true })
    }
  }
}

let endsOnSignals = false

/** A program that is told to end takes its servers with it. */
const endOnSignals = (): void => {
  if (endsOnSignals) return
  endsOnSignals = true
  for (const signal of ["SIGTERM", "SIGINT"] as const) process.once(signal, () => process.exit(1))
}

const temporary = (name: string): string => fs.mkdtempSync(path.join(os.tmpdir(), `autoscaled-pool-${name}-`))

export interface ServerOptions {
  readonly args?: ReadonlyArray<string>
  /** What is added to the environment of this process. */
  readonly env?: Readonly<Record<string, string>>
}

/** A Redis that appends what it is told to a file, as a queue needs it. */
export const startRedis = async (
  { args = [], env = {}, host = "127.0.0.1" }: ServerOptions & { readonly host?: string } = {}
): Promise<Server> => {
  const command = path.join(directoryOf(findRedis()), "redis-server")
  const port = await freePort()
  const data = temporary("redis")
  const settings = ["--port", `${port}`, "--bind", host, "--protected-mode", "no", "--dir", data, "--save", ""]
  const program = { command, args: [...settings, "--appendonly", "yes", ...args], env: { ...process.env, ...env } }
  const server = serverOf(program, `redis://${host}:${port}`, port, data, () => isListening(port, host))
  await server.start()
  return server
}

/** Postgres refuses to run as root, who lends it the user that Debian made for it. */
const postgresIdentity = (): { readonly uid?: number; readonly gid?: number } => {
  if (process.getuid?.() !== 0) return {}
  const idOf = (flag: string) => Number(spawnSync("id", [flag, "postgres"], { encoding: "utf8" }).stdout)
  return { uid: idOf("-u"), gid: idOf("-g") }
}

export const startPostgres = async (
  { args = [], env = {} }: ServerOptions = {}
): Promise<Server> => {
  const bin = directoryOf(findPostgres())
  const port = await freePort()
  const data = temporary("postgres")
  const identity = postgresIdentity()
  if (identity.uid !== undefined && identity.gid !== undefined) fs.chownSync(data, identity.uid, identity.gid)
  const initialized = spawnSync(
    path.join(bin, "initdb"),
    ["-D", path.join(data, "cluster"), "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale", "C", "--no-sync"],
    { ...identity, cwd: data, encoding: "utf8" }
  )
  if (initialized.status !== 0) throw new Error(`initdb failed: ${initialized.stderr}`)
  const settings = ["-D", path.join(data, "cluster"), "-p", `${port}`, "-c", "listen_addresses=127.0.0.1"]
  const program = {
    command: path.join(bin, "postgres"),
    args: [...settings, "-c", "unix_socket_directories=", ...args],
    env: { ...process.env, ...env },
    ...identity
  }
  const isReady = async () =>
    spawnSync(path.join(bin, "pg_isready"), ["-q", "-h", "127.0.0.1", "-p", `${port}`]).status === 0
  const url = `postgres://postgres@127.0.0.1:${port}/postgres`
  const server = serverOf(program, url, port, data, isReady)
  await server.start()
  return server
}
