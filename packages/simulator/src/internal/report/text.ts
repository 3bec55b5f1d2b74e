/**
 * How figures and sentences are written in reports.
 */
export const escape = (text: string): string =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll("\"", "&quot;")

export const fixed = (value: number | undefined, digits = 2): string =>
  value === undefined || Number.isNaN(value) ? "–" : value.toFixed(digits)

export const percent = (share: number): string => {
  const value = share * 100
  return value > 0 && value < 1 ? "<1 %" : `${Math.round(value)} %`
}

export const seconds = (value: number | undefined): string => value === undefined ? "never" : `${Math.round(value)} s`
