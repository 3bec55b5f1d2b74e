// @ts-check
/**
 * Numbers as a person reads them.
 */

/** @param {number} millis */
export const duration = (millis) => {
  const rounded = Math.max(0, Math.round(millis))
  if (rounded < 1000) return `${rounded} ms`
  if (rounded < 10_000) return `${Math.round(rounded / 100) / 10} s`
  const seconds = Math.round(rounded / 1000)
  if (seconds < 60) return `${seconds} s`
  const minutes = Math.floor(seconds / 60)
  if (minutes < 60) return `${minutes} min ${seconds % 60} s`
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`
}

/** @param {number} ratio */
export const percent = (ratio) => `${Math.round(ratio * 100)} %`

/** @param {number | null | undefined} value */
export const number = (value) =>
  value == null ? "–" : Math.abs(value) < 10 && !Number.isInteger(value) ? value.toFixed(1) : Math.round(value).toLocaleString("en-US")

const units = ["B", "KiB", "MiB", "GiB", "TiB"]

/** @param {{ used: number, limit: number, unit: string, of: string }} measure */
export const measure = ({ limit, of, unit, used }) => {
  if (unit === "By") {
    const power = Math.min(units.length - 1, Math.max(0, Math.floor(Math.log2(Math.max(1, limit)) / 10)))
    const scaled = (/** @type {number} */ bytes) => (bytes / 2 ** (10 * power)).toFixed(1).replace(/\.0$/, "")
    return `${scaled(used)} of ${scaled(limit)} ${units[power]} (${of})`
  }
  const name = unit === "{cpu}" ? "CPUs" : unit.replace(/^\{(.*)\}$/, "$1")
  const short = (/** @type {number} */ value) => `${Math.round(value * 10) / 10}`
  return `${short(used)} of ${short(limit)} ${name} (${of})`
}

/** @param {number} epochMillis */
export const clock = (epochMillis) => new Date(epochMillis).toLocaleTimeString([], { hour12: false })
