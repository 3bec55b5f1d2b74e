/**
 * Numbers as a person reads them: durations, shares, and amounts against their limits.
 */
import * as ByteSize from "effect/ByteSize"
import * as Duration from "effect/Duration"
import type { Measure } from "../../LoadSignal.ts"

/** `61 ms`, `2.5 s`, `1m 12s`, `3h 5m`. */
export const millis = (value: number): string => {
  const rounded = Math.max(0, Math.round(value))
  if (rounded < 1000) return `${rounded} ms`
  if (rounded < 10_000) return `${Math.round(rounded / 100) / 10} s`
  const seconds = Math.round(rounded / 1000)
  if (seconds < 60) return `${seconds} s`
  return Duration.format(Duration.seconds(seconds < 3600 ? seconds : Math.round(seconds / 60) * 60))
}

/** `2026-11-28T06:40:00.000Z`, of epoch milliseconds. */
export const timeOfDay = (epochMillis: number): string => {
  const date = new Date(epochMillis)
  return Number.isNaN(date.getTime()) ? "the end of time" : date.toISOString()
}

/** `93 %`. */
export const percent = (ratio: number): string => `${Math.round(ratio * 100)} %`

/** `20.3 of 22.4 GiB (cgroup /x)`, `1.4 of 2 CPUs (quota of /x)`, `61 of 50 ms (event loop delay)`. */
export const measure = ({ limit, of, unit, used }: Measure): string => `${amount(used, limit, unit)} (${of})`

const amount = (used: number, limit: number, unit: string): string => {
  if (unit === "By") return bytes(used, limit)
  const name = unit === "{cpu}" ? "CPUs" : unit.replace(/^\{(.*)\}$/, "$1")
  return `${short(used)} of ${short(limit)} ${name}`
}

const bytes = (used: number, limit: number): string => {
  const part = byteSize(used)
  const whole = byteSize(limit)
  const unit = part.split(" ")[1]
  return `${unit !== undefined && whole.endsWith(` ${unit}`) ? part.split(" ")[0] : part} of ${whole}`
}

/** `20.3 GiB`. What a signal reports may be no number of bytes at all. */
const byteSize = (value: number): string => {
  if (Number.isNaN(value)) return unknown
  if (value === Infinity) return unlimited
  const whole = Math.min(Math.max(0, Math.round(value)), Number.MAX_SAFE_INTEGER)
  return ByteSize.format(ByteSize.bytes(whole), { system: "binary", precision: 1 })
}

const unknown = "unknown"
const unlimited = "unlimited"

const short = (value: number): string => {
  if (Number.isNaN(value)) return unknown
  return value === Infinity ? unlimited : `${Math.round(value * 10) / 10}`
}

/** `a`, `a and b`, `a, b and c`. */
export const list = (names: ReadonlyArray<string>): string =>
  names.length < 2 ? names.join() : `${names.slice(0, -1).join(", ")} and ${names[names.length - 1]}`

/** `1 task`, `3 tasks`. */
export const count = (number: number, noun: string): string => `${number} ${noun}${number === 1 ? "" : "s"}`
