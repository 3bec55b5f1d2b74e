/**
 * The tables of options in the documents, made from the JSDoc of the sources.
 *
 * A table stands between `<!-- options:start Module.name -->` and `<!-- options:end -->`; `name` is an exported
 * interface, or a function that takes options. Its rows are the bullets below **Details**: an option, its default
 * (the bullet says "default X", or the module's constant `defaults` has it) and the rest of the bullet.
 *
 * `node scripts/options-table.ts` writes the tables of README.md and docs/*.md anew.
 */
import * as fs from "node:fs"
import * as path from "node:path"
import { parseSync, Visitor } from "vite"
import { documents, packages, root, type SourceFile, sourcesOf } from "./workspace.ts"

export interface Option {
  readonly name: string
  /** The default as the bullet puts it; `undefined` where it names none. */
  readonly default: string | undefined
  readonly isRequired: boolean
  readonly description: string
}

/** The options that the JSDoc of an export documents. */
export const optionsOf = (file: SourceFile, name: string): Array<Option> => {
  const { comments, program } = parseSync(file.path, file.text)
  const declaration = program.body.find((node) => exportedName(node) === name)
  if (declaration === undefined) throw new Error(`${file.path} exports no ${name}`)
  const jsdoc = comments.findLast((comment) =>
    comment.type === "Block" && comment.end <= declaration.start &&
    program.body.every((node) => node.end <= comment.start || node.start >= declaration.start)
  )
  const optional = new Map<string, boolean>()
  new Visitor({
    TSPropertySignature: ({ key, optional: isOptional, start }) => {
      if (key.type !== "Identifier" || start < declaration.start || start > declaration.end) return
      if (!optional.has(key.name)) optional.set(key.name, isOptional)
    }
  }).visit(program)
  return bulletsOf(jsdoc?.value ?? "").map(({ name, text }) => ({
    name,
    default: defaultPhrase.exec(text)?.[1],
    isRequired: optional.get(name) === false,
    description: text.replace(defaultPhrase, "").replace(/^[,.;]\s*/, "")
  }))
}

// "default X" at the beginning of a bullet or after a comma, up to the next comma, semicolon or full stop.
const defaultPhrase = /(?:^|, )default (`[^`]+`|.+?)(?=,(?!\d)|;|\.(?!\d)|$)/

const exportedName = (node: Node): string | undefined => {
  if (node.type !== "ExportNamedDeclaration") return undefined
  const { declaration } = node
  if (declaration?.type === "TSInterfaceDeclaration" || declaration?.type === "TSTypeAliasDeclaration") {
    return declaration.id.name
  }
  if (declaration?.type !== "VariableDeclaration") return undefined
  const [{ id }] = declaration.declarations
  return id.type === "Identifier" ? id.name : undefined
}

type Node = ReturnType<typeof parseSync>["program"]["body"][number]

const bulletsOf = (jsdoc: string): Array<{ readonly name: string; readonly text: string }> => {
  const text = jsdoc.split("\n").map((line) => line.replace(/^\s*\* ?/, "")).join("\n")
  const details = /\*\*Details\*\*\n([\s\S]*?)(?=\n\*\*|\n@|$)/.exec(text)?.[1] ?? ""
  return details.split(/\n(?=- )|\n\s*\n/).flatMap((part) => {
    const bullet = /^\s*- ((?:`\w+`(?:, | and )?)+): ([\s\S]+)$/.exec(part)
    if (bullet === null) return []
    const names = [...bullet[1].matchAll(/`(\w+)`/g)].map((match) => match[1])
    return names.map((name) => ({ name, text: bullet[2].replace(/\s+/g, " ").trim() }))
  })
}

/** The table of some options; `defaults` are the values of those whose bullet names no default. */
export const table = (options: ReadonlyArray<Option>, defaults: Readonly<Record<string, unknown>> = {}): string => {
  const rows = options.map((option) => {
    const value = option.default ??
      (option.name in defaults ? String(defaults[option.name]) : option.isRequired ? "required" : "none")
    return `| \`${option.name}\` | ${cell(value)} | ${cell(option.description)} |`
  })
  return ["| option | default | what it is |", "| --- | --- | --- |", ...rows].join("\n")
}

const cell = (text: string): string => text.replace(/\{@link (\w+)\}/g, "`$1`").replaceAll("|", "\\|")

const region = /(<!-- options:start (\w+)\.(\w+) -->\n)([\s\S]*?)(<!-- options:end -->)/g

/** The text of a document with its tables made anew by `tableOf`. */
export const renew = (text: string, tableOf: (module: string, name: string) => string): string => {
  const starts = text.match(/<!-- options:start /g)?.length ?? 0
  if (starts !== [...text.matchAll(region)].length) {
    throw new Error("a marker is malformed: use <!-- options:start Module.name --> and <!-- options:end -->")
  }
  return text.replace(region, (_, start, module, name, _old, end) => `${start}\n${tableOf(module, name)}\n\n${end}`)
}

/** Makes the tables of the sources that the packages have now. */
export const tables = async (): Promise<(module: string, name: string) => string> => {
  const sources = packages().flatMap(({ directory }) => sourcesOf(directory))
  const defaults = new Map<string, Readonly<Record<string, unknown>>>()
  const text = documents().map((document) => document.text).join("\n")
  for (const [, , module] of text.matchAll(region)) {
    const loaded = await import(path.join(root, sourceOf(sources, module).path))
    defaults.set(module, loaded.defaults ?? {})
  }
  return (module, name) => {
    const file = declaring(sources, sourceOf(sources, module), name)
    return table(optionsOf(file, name), defaults.get(module))
  }
}

/** The file that declares an export: the module itself, or one whose exports it hands on. */
const declaring = (sources: ReadonlyArray<SourceFile>, file: SourceFile, name: string): SourceFile => {
  const { body } = parseSync(file.path, file.text).program
  if (body.some((node) => exportedName(node) === name)) return file
  const handedOn = body.flatMap((node) => node.type === "ExportAllDeclaration" ? [node.source.value] : [])
  const files = new Set(handedOn.map((from) => path.join(path.dirname(file.path), from)))
  return sources.find((source) => files.has(source.path) && exportsOf(source).includes(name)) ?? file
}

const sourceOf = (sources: ReadonlyArray<SourceFile>, module: string): SourceFile => {
  const found = sources.filter((file) => path.basename(file.path) === `${module}.ts`)
  if (found.length !== 1) throw new Error(`there are ${found.length} modules ${module}; there should be one`)
  return found[0]
}

/** The documents whose tables are not what the sources say, and what they should be. */
export const outdated = async (): Promise<Array<SourceFile>> => {
  const tableOf = await tables()
  return documents().flatMap((document) => {
    const text = renew(document.text, tableOf)
    return text === document.text ? [] : [{ path: document.path, text }]
  })
}

/**
 * Defaults that the JSDoc of a module names and the code does not: the option and the value do not stand in one line of
 * it. Looked for are numbers, durations and what the JSDoc sets as code, but for `false`, which is what an option is
 * that was left out.
 */
export const unfoundedDefaults = (file: SourceFile, code: string): Array<string> => {
  const plainCode = code.replace(/(\d)_(?=\d)/g, "$1").replaceAll("millis\"", "milliseconds\"")
  const documented = exportsOf(file).flatMap((name) => optionsOf(file, name).map((option) => ({ name, option })))
  return documented.flatMap(({ name, option }) => {
    const value = literal.exec(option.default ?? "")?.[0].replace(/^`(.*)`$/, "$1").replace(/(\d),(?=\d)/g, "$1")
    if (value === undefined || value === "false") return []
    const together = new RegExp(`\\b${option.name}\\b.*(?<![\\w.])${escape(value)}(?![\\w.])`)
    if (together.test(plainCode)) return []
    return [`${file.path}: ${name}.${option.name} is said to be ${value} by default, but no code does so`]
  })
}

const literal = /^(?:`.+`|[\d.,]+(?: (?:millis|milliseconds|seconds?|minutes?|hours?))?)$/

const escape = (text: string): string => text.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&")

const exportsOf = (file: SourceFile): Array<string> =>
  parseSync(file.path, file.text).program.body.map(exportedName).filter((name) => name !== undefined)

/** The code of files without their block comments, so that no documentation is taken for code. */
export const withoutComments = (files: ReadonlyArray<SourceFile>): string =>
  files.map((file) => file.text.replace(/\/\*[\s\S]*?\*\//g, "")).join("\n")

if (import.meta.main) {
  for (const document of await outdated()) {
    fs.writeFileSync(path.join(root, document.path), document.text)
    console.log(`wrote the tables of ${document.path}`)
  }
}
