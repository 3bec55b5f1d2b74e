/**
 * Where the examples of the documentation report the assertions that they meet.
 */
import { deepStrictEqual } from "node:assert"

export interface Verdict {
  readonly line: number
  readonly error: unknown
}

const verdicts = new Map<string, Array<Verdict>>()

/** What the example of this key has reported so far. */
export const verdictsOf = (key: string): ReadonlyArray<Verdict> => verdicts.get(key) ?? []

/** The function that an example calls with each of its assertions. */
export const recorderOf = (key: string) => (line: number, actual: unknown, expected: unknown): void => {
  verdicts.set(key, [...verdictsOf(key), { line, error: errorOf(actual, expected) }])
}

const errorOf = (actual: unknown, expected: unknown): unknown => {
  try {
    deepStrictEqual(actual, expected)
    return undefined
  } catch (error) {
    return error
  }
}
