/**
 * The examples in the documentation, as programs: code fences that are marked `ts import.meta.vitest`, in the JSDoc of
 * the sources and in Markdown, with assertions of the form `expression // => value`.
 */
import { spawnSync } from "node:child_process"
import * as fs from "node:fs"
import * as path from "node:path"
import { parseSync, Visitor } from "vite"
import { root, type SourceFile } from "./workspace.ts"

/** An example, and the line of the file on which its code begins. */
export interface Example {
  readonly file: string
  readonly line: number
  readonly code: string
}

/** An example as a module that reports every assertion it meets to its recorder. */
export interface Program {
  readonly example: Example
  readonly text: string
  /** The lines of the file that hold the assertions. */
  readonly assertions: ReadonlyArray<number>
}

/** Finds the examples of a file. */
export const extract = (file: SourceFile): Array<Example> => {
  const isMarkdown = file.path.endsWith(".md")
  const lines = file.text.split("\n").map((line) => isMarkdown ? line : line.replace(/^\s*\* ?/, ""))
  const examples: Array<Example> = []
  for (let i = 0; i < lines.length; i++) {
    const opening = /^(\s*)```ts import\.meta\.vitest\s*$/.exec(lines[i])
    if (opening === null) continue
    const end = lines.findIndex((line, at) => at > i && line.trim() === "```")
    if (end === -1) throw new Error(`${file.path}:${i + 1}: the example has no end`)
    const code = lines.slice(i + 1, end).map((line) => line.slice(opening[1].length)).join("\n")
    examples.push({ file: file.path, line: i + 2, code })
    i = end
  }
  return examples
}

/**
 * Makes an example a module. Its code keeps the line numbers that it has in the documentation; `recorder` is the module
 * whose `recorderOf(key)` gives the function that takes the assertions.
 */
export const instrument = (example: Example, key: string, recorder: string): Program => {
  const { code, line } = example
  const at = (offset: number) => line + code.slice(0, offset).split("\n").length - 1
  const { comments, errors, program } = parseSync("example.ts", code)
  if (errors.length > 0) throw new Error(`${example.file}:${line}: ${errors[0].message}`)

  const subjects: Array<Subject> = []
  new Visitor({
    ExpressionStatement: ({ end, expression }) =>
      void subjects.push({ end, start: expression.start, expressionEnd: expression.end }),
    VariableDeclaration: ({ declarations, end }) => {
      const [{ id }] = declarations
      if (declarations.length === 1 && id.type === "Identifier") subjects.push({ end, name: id.name })
    }
  }).visit(program)

  const insertions: Array<{ readonly offset: number; readonly text: string }> = []
  const assertions: Array<number> = []
  for (const [index, comment] of comments.entries()) {
    if (comment.type !== "Line" || !/^\s*=> /.test(comment.value)) continue
    const where = `${example.file}:${at(comment.start)}`
    const value = valueOf(comments.slice(index), code)
    if (value === undefined) throw new Error(`${where}: what follows "=>" is no expression`)
    const subject = subjects
      .filter(({ end }) => end <= comment.start && isAdjacent(code.slice(end, comment.start)))
      .toSorted((a, b) => b.end - a.end)[0]
    if (subject === undefined) throw new Error(`${where}: there is no statement before "=>"`)
    const number = at(comment.start)
    assertions.push(number)
    if ("name" in subject) {
      insertions.push({ offset: subject.end, text: `; $record(${number}, ${subject.name}, (${value}))` })
    } else {
      insertions.push({ offset: subject.start, text: `$record(${number}, (` })
      insertions.push({ offset: subject.expressionEnd, text: `), (${value}))` })
    }
  }

  const body = insertions.toSorted((a, b) => b.offset - a.offset).reduce(
    (text, { offset, text: inserted }) => text.slice(0, offset) + inserted + text.slice(offset),
    code
  )
  const prelude = `import { recorderOf } from ${JSON.stringify(recorder)}; const $record = recorderOf("${key}")`
  return { example, assertions, text: `${prelude}${"\n".repeat(line - 1)}${body}\n\nexport {}\n` }
}

type Subject =
  | { readonly end: number; readonly start: number; readonly expressionEnd: number }
  | { readonly end: number; readonly name: string }

const isAdjacent = (between: string): boolean => /^;?[^\S\n]*\n?[^\S\n]*$/.test(between)

interface Comment {
  readonly type: string
  readonly value: string
  readonly start: number
  readonly end: number
}

/** The value that a comment asserts; a value that is not complete goes on in the comment on the next line. */
const valueOf = ([first, ...following]: ReadonlyArray<Comment>, code: string): string | undefined => {
  let value = first.value.replace(/^\s*=> /, "")
  let end = first.end
  for (const comment of [undefined, ...following]) {
    if (comment !== undefined) {
      if (comment.type !== "Line" || !/^\n[^\S\n]*$/.test(code.slice(end, comment.start))) return undefined
      value += ` ${comment.value.trim()}`
      end = comment.end
    }
    if (parseSync("value.ts", `(${value})`).errors.length === 0) return value
  }
  return undefined
}

/** Writes the programs, and what the compiler needs to check them, into a folder below the root. */
export const write = (programs: ReadonlyArray<Program>, directory: string): Array<string> => {
  const settings = {
    extends: path.relative(directory, path.join(root, "tsconfig.base.json")),
    compilerOptions: {
      composite: false,
      incremental: false,
      declaration: false,
      declarationMap: false,
      noEmit: true,
      rootDir: root,
      noUnusedLocals: false,
      noUnusedParameters: false,
      types: ["node"],
      lib: ["ES2023", "DOM"]
    },
    include: ["*.ts"]
  }
  fs.mkdirSync(directory, { recursive: true })
  fs.writeFileSync(path.join(directory, "tsconfig.json"), JSON.stringify(settings))
  return programs.map(({ text }, index) => {
    const file = path.join(directory, fileName(index))
    fs.writeFileSync(file, text)
    return file
  })
}

const fileName = (index: number): string => `example${index}.ts`

/** What the compiler says of the programs in a folder, each message at its place in the documentation. */
export const typeErrors = (programs: ReadonlyArray<Program>, directory: string): Array<string> => {
  const tsc = path.join(root, "node_modules/.bin/tsc")
  const { status, stdout } = spawnSync(tsc, ["-p", directory, "--pretty", "false"], {
    cwd: directory,
    encoding: "utf8"
  })
  if (status === 0) return []
  return stdout.trim().split("\n").map((line) =>
    line.replace(/^.*?example(\d+)\.ts\((\d+),\d+\)/, (_, index, at) => `${programs[index].example.file}:${at}`)
  )
}
