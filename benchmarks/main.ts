/**
 * Answers what this library costs beside its alternatives: `npm run bench`.
 *
 * - `-- --quick`: little work, to show within a minute that everything runs; its figures mean nothing.
 * - `-- --only dispatch,wakeup`: some of the questions.
 * - `-- --markdown FILE`: writes the summary and all tables to a file.
 * - `-- --update-docs`: writes the summary into docs/measurements.md.
 */
import { writeFileSync } from "node:fs"
import { parseArgs } from "node:util"
import { bundle } from "./bundle.ts"
import { close } from "./contenders.ts"
import { verify } from "./correctness.ts"
import { crawling } from "./crawl.ts"
import { decisions } from "./decisions.ts"
import { dispatch, dispatchOfMany } from "./dispatch.ts"
import { extras } from "./extras.ts"
import { heap } from "./heap.ts"
import { idle } from "./idle.ts"
import { load, machine, versions } from "./machine.ts"
import { memory } from "./memory.ts"
import { pressure } from "./pressure.ts"
import type { Effort, Question } from "./question.ts"
import { type Answer, showGoal, showTable } from "./report.ts"
import { sharing } from "./sharing.ts"
import { sleeping } from "./sleeping.ts"
import { showSummary, updatePage } from "./summary.ts"
import { views } from "./views.ts"
import { wakeup } from "./wakeup.ts"

const questions: ReadonlyArray<Question> = [
  dispatch,
  dispatchOfMany,
  sleeping,
  memory,
  wakeup,
  extras,
  decisions,
  idle,
  bundle,
  views,
  pressure,
  heap,
  sharing,
  crawling
]

const { values: options } = parseArgs({
  options: {
    quick: { type: "boolean", default: false },
    only: { type: "string" },
    markdown: { type: "string" },
    "update-docs": { type: "boolean", default: false }
  }
})

const effort: Effort = options.quick ? "Quick" : "Full"

const wantedQuestions = (): ReadonlyArray<Question> => {
  if (options.only === undefined) return questions
  const keys = options.only.split(",")
  const unknown = keys.filter((key) => questions.every((question) => question.key !== key))
  if (unknown.length === 0) return questions.filter(({ key }) => keys.includes(key))
  throw new Error(`there is no question ${unknown.join(", ")}; there are ${questions.map(({ key }) => key).join(", ")}`)
}

const showAnswer = ({ title }: Question, { goals, notes, tables }: Answer): string =>
  [`## ${title}`, ...notes, ...tables.map(showTable), goals.map((goal) => `- ${showGoal(goal)}`).join("\n")]
    .filter((part) => part !== "").join("\n\n")

const summaryOf = (answers: ReadonlyArray<Answer>): string =>
  showSummary({
    command: ["npm run bench", ...process.argv.length > 2 ? ["--", ...process.argv.slice(2)] : []].join(" "),
    machine: machine(),
    versions: versions(),
    tables: answers.flatMap(({ tables }) => tables).filter(({ isHeadline }) => isHeadline),
    goals: answers.flatMap(({ goals }) => goals)
  })

console.log([machine(), load(), versions()].join("\n"))
if (effort === "Quick") console.log("Quick: shows that everything runs; the figures mean nothing.")

const asked = wantedQuestions()
const answers: Array<Answer> = []
const shown: Array<string> = []
await verify()
for (const question of asked) {
  const before = performance.now()
  const answer = await question.ask(effort)
  answers.push(answer)
  shown.push(showAnswer(question, answer))
  console.log(`\n${shown.at(-1)}\n\n(${((performance.now() - before) / 1000).toFixed(0)} s)`)
}
await close()

const summary = summaryOf(answers)
if (options.markdown !== undefined) writeFileSync(options.markdown, `${summary}\n\n${shown.join("\n\n")}\n`)
if (options["update-docs"]) updatePage(summary)
