/**
 * Names in a configuration that nobody reads: a slip of the pen, which would otherwise go unnoticed.
 */
import type * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"

/** How far two texts are apart, in letters to add, to take away or to change (Levenshtein 1966). */
const distance = (a: string, b: string): number => {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index)
  for (let i = 0; i < a.length; i++) {
    const next = [i + 1]
    for (let j = 0; j < b.length; j++) {
      next.push(Math.min(row[j + 1] + 1, next[j] + 1, row[j] + (a[i] === b[j] ? 0 : 1)))
    }
    row = next
  }
  return row[b.length]
}

export const nearest = (name: string, known: ReadonlyArray<string>): string =>
  known.reduce((a, b) => distance(b, name) < distance(a, name) ? b : a)

/** The names of all values below a path, their parts joined as in a variable of the environment. */
const namesBelow = (
  provider: ConfigProvider.ConfigProvider,
  path: ReadonlyArray<string>
): Effect.Effect<ReadonlyArray<string>, ConfigProvider.SourceError> =>
  Effect.flatMap(provider.load(path), (node) => {
    if (node === undefined) return Effect.succeed([])
    const name = path.join("_")
    if (node._tag !== "Record") return Effect.succeed([name])
    const own = node.value === undefined ? [] : [name]
    return Effect.forEach([...node.keys], (key) => namesBelow(provider, [...path, key])).pipe(
      Effect.map((names) => [...own, ...names.flat()])
    )
  })

/** Warns once of all names with a prefix that are not among those known, which are without it. */
export const warn = (
  provider: ConfigProvider.ConfigProvider,
  prefix: string,
  known: ReadonlyArray<string>
): Effect.Effect<void> =>
  // A document has the prefix as one key, the environment as the beginning of a name whose parts are keys.
  Effect.forEach([[prefix], prefix.split("_")], (path) => namesBelow(provider, path)).pipe(
    Effect.map((names) => [...new Set(names.flat())].map((name) => name.slice(prefix.length + 1))),
    Effect.map((names) => names.filter((name) => name !== "" && !known.includes(name))),
    Effect.flatMap((unknown) =>
      unknown.length === 0 ? Effect.void : Effect.logWarning(
        `Nothing reads ${
          unknown.map((name) => `${prefix}_${name} (did you mean ${prefix}_${nearest(name, known)}?)`).join(" and ")
        }`
      )
    ),
    // What cannot be loaded is reported by those that need it.
    Effect.ignore
  )
