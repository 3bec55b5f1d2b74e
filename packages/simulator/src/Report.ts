/**
 * A comparison for people to read: a table of text, and a page that shows what every policy did and why.
 *
 * @since 0.1.0
 */
import * as Arr from "effect/Array"
import * as Comparison from "./Comparison.ts"
import * as chart from "./internal/report/chart.ts"
import { script } from "./internal/report/script.ts"
import * as series from "./internal/report/series.ts"
import { style } from "./internal/report/style.ts"
import { escape, fixed, percent, seconds } from "./internal/report/text.ts"

type Runs = ReadonlyArray<Comparison.ScoredRun>

/**
 * The figures of each policy on each workload as text, means over the seeds, and below them the sums.
 *
 * @category reports
 * @since 0.1.0
 */
export const table = (runs: Runs): string => {
  const rows = workloadsOf(runs).flatMap((ofWorkload) =>
    policiesOf(ofWorkload).map((ofPolicy) => [
      ofPolicy[0].result.workload.name,
      ofPolicy[0].result.policy,
      ...figuresOf(ofPolicy)
    ])
  )
  const sums = policiesOf(runs).map((ofPolicy) => {
    const { efficiency, kills, lowDecile, overTime, score, worstOverTime, worstScore } = Comparison.summarize(ofPolicy)
    const { policy } = ofPolicy[0].result
    return [
      policy,
      fixed(score),
      fixed(lowDecile),
      fixed(worstScore),
      fixed(efficiency),
      percent(overTime),
      percent(worstOverTime),
      String(kills)
    ]
  })
  return [
    aligned([["workload", "policy", ...figureNames], ...rows]),
    aligned([["all workloads", "score", "low decile", "worst", "efficiency", "over", "worst over", "kills"], ...sums])
  ].join("\n\n")
}

/**
 * A page that needs nothing but itself: the scores, and for each workload the concurrency over time of every policy
 * against the best fixed one, the signals beneath, and the reason of each decision where one points.
 *
 * **Details**
 *
 * - `title`: default `"Scaling policies in simulation"`.
 * - `chosen`: the policy whose signals and reasons are shown first, by name; default the first one.
 *
 * Where there are several seeds the tables show their means and the pictures the first one.
 *
 * @category reports
 * @since 0.1.0
 */
export const html = (
  runs: Runs,
  options: { readonly title?: string | undefined; readonly chosen?: string | undefined } = {}
): string => {
  const title = escape(options.title ?? "Scaling policies in simulation")
  const workloads = workloadsOf(runs)
  const policies = policiesOf(runs).map((ofPolicy) => ofPolicy[0].result.policy)
  const seeds = [...new Set(runs.map(({ result }) => result.seed))]
  const pictures = workloads.map((ofWorkload, index) => pictureOf(ofWorkload, policies, `w${index}`))
  const data = {
    plot: chart.plot,
    chosen: Math.max(0, policies.indexOf(options.chosen ?? "")),
    pictures: Object.fromEntries(pictures.map((picture) => [picture.id, dataOf(picture, policies)]))
  }
  return [
    `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>${title}</title>`,
    `<meta name="viewport" content="width=device-width, initial-scale=1"><style>${style}</style></head><body><main>`,
    `<h1>${title}</h1>`,
    `<p>Score: throughput against the best fixed concurrency, less the time beyond 1.5 × the knee, tasks lost and ` +
    `processes killed; 1 is perfect. Seed${seeds.length > 1 ? "s" : ""} ${seeds.join(", ")}.</p>`,
    `<p class="legend"><span><i class="b"></i>where a policy should be: the knee to 1.5 × the knee</span>` +
    `<span><i class="f"></i>tasks in flight</span><span><i class="d"></i>tasks desired</span>` +
    `<span><i class="o"></i>load above its target</span><span><b>✕</b> out of memory, 10 s down</span></p>`,
    `<section class="scores">${scoresOf(runs, workloads)}</section>`,
    ...workloads.map((ofWorkload, index) => sectionOf(ofWorkload, pictures[index], policies)),
    `</main><script type="application/json" id="data">${JSON.stringify(data).replaceAll("<", "\\u003c")}</script>`,
    `<script>${script}</script></body></html>`
  ].join("\n")
}

const figureNames = [
  "score",
  "efficiency",
  "over",
  "lost",
  "kills",
  "memory",
  "settles in",
  "swing",
  "duration",
  "wait p95"
]

const figuresOf = (runs: Runs): ReadonlyArray<string> => {
  const scores = runs.map(({ score }) => score)
  const mean = (value: (score: Comparison.ScoredRun["score"]) => number | undefined) => meanOf(scores.map(value))
  const settling = scores[0].settling.map((_, phase) => seconds(meanOf(scores.map((score) => score.settling[phase]))))
  const wait = mean(({ waits }) => waits?.p95)
  return [
    fixed(mean(({ score }) => score)),
    fixed(mean(({ efficiency }) => efficiency)),
    percent(mean(({ overTime }) => overTime) ?? 0),
    percent(mean(({ lost }) => lost) ?? 0),
    fixed(mean(({ kills }) => kills), 0),
    percent(mean(({ peakMemory }) => peakMemory) ?? 0),
    settling.join(" / ") || "–",
    fixed(mean(({ oscillation }) => oscillation)),
    `× ${fixed(mean(({ inflation }) => inflation))}`,
    wait === undefined ? "–" : `${fixed(wait, 1)} s`
  ]
}

/** The mean, where every value is known. */
const meanOf = (values: ReadonlyArray<number | undefined>): number | undefined => {
  const known = values.filter((value) => value !== undefined)
  return known.length < values.length || known.length === 0
    ? undefined
    : known.reduce((a, b) => a + b, 0) / known.length
}

const workloadsOf = (runs: Runs): ReadonlyArray<Runs> =>
  Object.values(Arr.groupBy(runs, ({ result }) => result.workload.name))

const policiesOf = (runs: Runs): ReadonlyArray<Runs> => Object.values(Arr.groupBy(runs, ({ result }) => result.policy))

const aligned = (rows: ReadonlyArray<ReadonlyArray<string>>): string => {
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)))
  const line = (row: ReadonlyArray<string>) =>
    row.map((cell, column) =>
      /^[a-z]/i.test(rows[1]?.[column] ?? "") ? cell.padEnd(widths[column]) : cell.padStart(widths[column])
    )
      .join("  ").trimEnd()
  return rows.map(line).join("\n")
}

const scoresOf = (runs: Runs, workloads: ReadonlyArray<Runs>): string => {
  const names = workloads.map(([{ result }], index) =>
    `<th><a href="#w${index}">${escape(result.workload.name)}</a></th>`
  )
  const rows = policiesOf(runs).map((ofPolicy, index) => {
    const { kills, score, worstScore } = Comparison.summarize(ofPolicy)
    const cells = workloads.map((ofWorkload) => {
      const mine = ofWorkload.filter(({ result }) => result.policy === ofPolicy[0].result.policy)
      return cellOf(mine)
    })
    return `<tr data-run="${index}"><td>${keyOf(index)}${escape(ofPolicy[0].result.policy)}</td>${cells.join("")}` +
      `<td class="sum">${fixed(score)}</td><td class="sum">${fixed(worstScore)}</td><td class="sum">${kills}</td></tr>`
  })
  return `<table><tr><th>score</th>${names.join("")}<th>mean</th><th>worst</th><th>kills</th></tr>${
    rows.join("")
  }</table>`
}

const cellOf = (runs: Runs): string => {
  const wait = meanOf(runs.map(({ score }) => score.waits?.p95))
  if (wait !== undefined) {
    return `<td class="cell" style="--s: ${share(1 - wait / 20)}" title="95 % wait less">${fixed(wait, 1)} s</td>`
  }
  const score = meanOf(runs.map((run) => run.score.score)) ?? 0
  const kills = meanOf(runs.map((run) => run.score.kills)) ?? 0
  const killed = kills > 0 ? `<span class="killed" title="out of memory">✕${Math.ceil(kills)}</span>` : ""
  return `<td class="cell" style="--s: ${share(score)}">${fixed(score)}${killed}</td>`
}

const share = (value: number): string => `${Math.round(100 * Math.min(1, Math.max(0, value)))}%`

const keyOf = (index: number): string => `<i class="key" style="--c: var(--c${index % 8})"></i>`

const pictureOf = (runs: Runs, policies: ReadonlyArray<string>, id: string): chart.Picture => {
  const { oracle, result } = runs[0]
  const first = policies.flatMap((policy) => runs.find(({ result }) => result.policy === policy) ?? [])
  return {
    id,
    workload: result.workload,
    optima: oracle.phases,
    series: first.map(({ result }) => series.of(result))
  }
}

const dataOf = ({ series, workload }: chart.Picture, policies: ReadonlyArray<string>) => ({
  duration: workload.duration,
  isOpen: workload.arrivals.length > 0,
  runs: series.map((run, index) => ({ ...run, policy: policies[index] }))
})

const sectionOf = (runs: Runs, picture: chart.Picture, policies: ReadonlyArray<string>): string => {
  const { summary, name } = picture.workload
  const best = picture.optima.map(({ best, throughput }) => `${best} in flight, ${fixed(throughput, 1)}/s`).join(" → ")
  const isOpen = picture.workload.arrivals.length > 0
  const columns = ["score", "eff.", "over", "lost", isOpen ? "wait p95" : "settles, s"]
  const rows = policies.map((policy, index) => {
    const figures = figuresOf(runs.filter(({ result }) => result.policy === policy))
    const settling = figures[6].replaceAll(" s", "").replaceAll("never", "–").replaceAll(" / ", "/")
    const cells = [...figures.slice(0, 4), isOpen ? figures[9] : settling].map((cell) => `<td>${cell}</td>`)
    return `<tr data-run="${index}"><td>${keyOf(index)}${escape(policy)}</td>${cells.join("")}</tr>`
  })
  return `<section id="${picture.id}" data-workload="${picture.id}"><div class="head"><h2>${escape(name)}</h2><p>${
    escape(summary)
  }</p>` +
    `<p class="best">best fixed: ${best}</p></div><div class="body"><div>${chart.draw(picture)}</div>` +
    `<div><table class="runs"><tr><th></th>${columns.map((name) => `<th>${name}</th>`).join("")}</tr>${
      rows.join("")
    }</table>` +
    `<div class="said">Point at the chart for the values of a moment and the reason of the decision then in force; click ` +
    `to hold it. Choose a policy above to see its signals.</div></div></div></section>`
}
