/**
 * What the programs share that run inside a memory limit.
 */
import * as fs from "node:fs"

export const MB = 1024 * 1024

/** Memory outside the JavaScript heap, of which every page is touched. */
export const hold = (bytes: number): Buffer => {
  const buffer = Buffer.allocUnsafeSlow(bytes)
  for (let offset = 0; offset < bytes; offset += 4096) buffer[offset] = 1
  return buffer
}

/** Gives memory back now, and not when the collector comes by. */
export const letGo = (held: Buffer): void => void (held.buffer as ArrayBuffer).transfer(0) // as `hold` made it

/** The number in the first of the files that exists. */
export const bytesOf = (directory: string, ...names: ReadonlyArray<string>): number => {
  const name = names.find((name) => fs.existsSync(`${directory}/${name}`))
  return Number(fs.readFileSync(`${directory}/${name}`, "utf8"))
}

export const tell = (line: unknown): void => void process.stdout.write(`${JSON.stringify(line)}\n`)
