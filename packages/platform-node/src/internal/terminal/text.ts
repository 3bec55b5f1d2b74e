/**
 * Styled text that is measured and cut before it is coloured, as colours have no width.
 */
import type { WriteStream } from "node:tty"
import { styleText } from "node:util"
import stringWidth from "string-width"

type Format = Parameters<typeof styleText>[0]

/** A piece of a line. */
export interface Span {
  readonly text: string
  readonly format?: Format | undefined
}

export type Line = ReadonlyArray<Span>

/** Columns that a text takes: a wide character takes two, a combining one none. */
export const width: (text: string) => number = stringWidth

const graphemes = new Intl.Segmenter()

/** Control characters would move the cursor out of the line. */
const controls = /[\p{Cc}\p{Zl}\p{Zp}]/gu

/** The beginning of a line that takes at most so many columns. */
export const clip = (line: Line, columns: number): Line => {
  const kept: Array<Span> = []
  let left = columns
  for (const span of line) {
    const text = span.text.replaceAll(controls, " ")
    const size = width(text)
    if (size <= left) {
      kept.push({ ...span, text })
      left -= size
      continue
    }
    kept.push({ ...span, text: beginning(text, left) })
    break
  }
  return kept
}

const beginning = (text: string, columns: number): string => {
  if (columns < 1) return ""
  let kept = ""
  let left = columns - 1 // one column for the ellipsis
  for (const { segment } of graphemes.segment(text)) {
    left -= width(segment)
    if (left < 0) break
    kept += segment
  }
  return `${kept}…`
}

/** Breaks a sentence into lines of so many columns, at spaces. */
export const wrap = (sentence: string, columns: number): ReadonlyArray<string> => {
  const lines = [""]
  for (const word of sentence.split(" ")) {
    const last = lines[lines.length - 1]
    const joined = last === "" ? word : `${last} ${word}`
    if (last !== "" && width(joined) > columns) lines.push(word)
    else lines[lines.length - 1] = joined
  }
  return lines
}

/** Fills a text with spaces up to so many columns. */
export const pad = (text: string, columns: number): string => text + " ".repeat(Math.max(0, columns - width(text)))

export const lineWidth = (line: Line): number => line.reduce((sum, { text }) => sum + width(text), 0)

/** What a stream can show of the colours; `NO_COLOR` and `FORCE_COLOR` are obeyed. */
export const paint = (line: Line, stream: WriteStream | undefined): string =>
  line.map(({ format, text }) =>
    format === undefined || stream === undefined ? text : styleText(format, text, { stream })
  ).join("")
