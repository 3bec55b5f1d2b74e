/**
 * What docs/observability.md and the files beside it say of metrics is what there is.
 */
import type { PoolSnapshot } from "@autoscaled-pool/core"
import { assert, describe, it } from "@effect/vitest"
import { Yaml } from "effect/encoding"
import * as fs from "node:fs"
import * as path from "node:path"
import { none } from "../../packages/core/src/internal/views/durations.ts"
import { described, passingSeriesOf, prometheusName, seriesOf } from "../../packages/core/src/internal/views/series.ts"
import { noTotals } from "../../packages/core/src/internal/views/snapshots.ts"
import { root } from "../../scripts/workspace.ts"

const read = (file: string): string => fs.readFileSync(path.join(root, "docs", file), "utf8")

const guide = read("observability.md")

/** A pool with one signal, a share and a key that is held back. */
const pool: PoolSnapshot.PoolSnapshot = {
  name: "thumbnails",
  policy: "adaptive",
  at: 0,
  phase: "Running",
  isPaused: false,
  settings: { minConcurrency: 1, maxConcurrency: 20, desiredConcurrency: 10, maxTasksPerMinute: Infinity },
  current: 0,
  desired: 10,
  holding: undefined,
  totals: noTotals,
  durations: none,
  oldestAges: [],
  signals: [{
    name: "memory",
    limitRatio: 0.2,
    actualRatio: 0,
    isOverloaded: false,
    isStale: false,
    load: 0,
    own: 0,
    target: 0.9
  }],
  lastDecision: undefined,
  run: undefined,
  share: 4,
  heldBackKeys: [{ key: "a.example", parked: 3, inFlight: 2, limit: 2 }]
}

const series = [...seriesOf(pool), ...passingSeriesOf(pool)].map(
  ({ key }): { readonly id: string; readonly attributes: Readonly<Record<string, string>> } => {
    const [id, attributes] = JSON.parse(key)
    return { id, attributes }
  }
)

const attributesOf = (id: string): ReadonlyArray<string> =>
  Object.keys(series.find((series) => series.id === id)?.attributes ?? {})
    .filter((attribute) => attribute !== "autoscaled_pool.name" && attribute !== "unit")

const inPrometheus = (id: string): string => prometheusName(id).replaceAll(".", "_")

const table = [
  "| metric | type | unit | attributes | in Prometheus | what it is |",
  "| --- | --- | --- | --- | --- | --- |",
  ...described.map(({ description, id, type, unit }) =>
    `| \`${id}\` | ${type} | \`${unit}\` | ${attributesOf(id).map((attribute) => `\`${attribute}\``).join(", ")} | \`${
      inPrometheus(id)
    }\` | ${description} |`
  )
].join("\n")

/** The names of metrics that queries may use, each with its labels. */
const known = new Map(described.flatMap(({ id, type }) => {
  const labels = new Set(["autoscaled_pool_name", "instance", "namespace", "pod", ...attributesOf(id)])
  const name = inPrometheus(id)
  const names = type === "histogram" ? [`${name}_bucket`, `${name}_sum`, `${name}_count`] : [name]
  return names.map((name): [string, ReadonlySet<string>] => [
    name,
    type === "histogram" ? new Set([...labels, "le"]) : labels
  ])
}))

/** The values of labels that are known beforehand. */
const values = (label: string): ReadonlySet<string> =>
  new Set(series.flatMap(({ attributes }) => label in attributes ? [attributes[label]] : []))

/** Fails where a query names a metric, a label or a value of a label that there is not. */
const check = (query: string, where: string): void => {
  const names = [...query.matchAll(/\bautoscaled_pool_[a-z_]+/g)].map(([name]) => name)
    .filter((name) => name !== "autoscaled_pool_name")
  assert.isNotEmpty(names, `${where} has no metric`)
  for (const name of names) assert.isTrue(known.has(name), `${where}: there is no metric ${name}`)
  for (const [, name, selector] of query.matchAll(/\b(autoscaled_pool_[a-z_]+)\{([^}]*)\}/g)) {
    for (const [, label, , value] of selector.matchAll(/(\w+)\s*(=~|!=|=)\s*"([^"]*)"/g)) {
      assert.isTrue(known.get(name)?.has(label), `${where}: ${name} has no label ${label}`)
      if (["reason", "outcome", "direction"].includes(label)) {
        for (const one of value.split("|")) {
          assert.isTrue(values(label).has(one), `${where}: there is no ${label} ${one}`)
        }
      }
    }
  }
  assert.strictEqual(query.split("(").length, query.split(")").length, `${where}: parentheses do not match`)
  assert.strictEqual(query.split("{").length, query.split("}").length, `${where}: braces do not match`)
}

const parse = (text: string): Record<string, unknown> => Yaml.parse(text) as Record<string, unknown> // each document here is a mapping

const yamlIn = (text: string): ReadonlyArray<string> =>
  [...text.matchAll(/```yaml\n([\s\S]*?)```/g)].map(([, yaml]) => yaml)

describe("docs/observability.md", () => {
  it("has the table of all metrics", () => {
    const [, shown] = /<!-- metrics:start -->\n\n([\s\S]*?)\n\n<!-- metrics:end -->/.exec(guide) ?? []
    assert.strictEqual(shown, table)
  })

  it("tells every value of the attributes that has a fixed set of them", () => {
    for (const label of ["outcome", "direction"]) {
      for (const value of values(label)) assert.include(guide, `\`${value}\``)
    }
  })

  it("has examples of scaling that are YAML and query what there is", () => {
    const [keda, adapter, scaler] = yamlIn(guide).map(parse)
    assert.deepInclude(keda, { apiVersion: "keda.sh/v1alpha1", kind: "ScaledObject" })
    const { spec } = keda as { spec: { triggers: ReadonlyArray<{ type: string; metadata: { query: string } }> } }
    assert.strictEqual(spec.triggers[0].type, "prometheus")
    check(spec.triggers[0].metadata.query, "the ScaledObject")
    const [rule] =
      (adapter as { rules: ReadonlyArray<{ seriesQuery: string; metricsQuery: string; name: { as: string } }> })
        .rules
    check(rule.seriesQuery, "the rule of the adapter")
    const [name] = rule.seriesQuery.split("{")
    check(
      rule.metricsQuery.replace("<<.Series>>", name).replace("<<.LabelMatchers>>, ", "").replace("<<.GroupBy>>", "pod"),
      "the query of the adapter"
    )
    assert.deepInclude(scaler, { apiVersion: "autoscaling/v2", kind: "HorizontalPodAutoscaler" })
    assert.include(JSON.stringify(scaler), `"name":"${rule.name.as}"`)
  })

  it("names every alert that there is", () => {
    const { groups } = parse(read("grafana/alerts.yaml")) as {
      groups: ReadonlyArray<{ rules: ReadonlyArray<{ alert: string; expr: string; annotations: { summary: string } }> }>
    }
    const rules = groups.flatMap(({ rules }) => rules)
    assert.isAbove(rules.length, 3)
    for (const { alert, annotations, expr } of rules) {
      check(expr, alert)
      assert.include(guide, `| \`${alert}\` |`)
      assert.isAbove(annotations.summary.length, 10)
    }
    assert.strictEqual(guide.match(/^\| `[A-Z]\w+` \|/gm)?.length, rules.length)
  })
})

describe("docs/grafana/autoscaled-pool.json", () => {
  interface Panel {
    readonly id: number
    readonly title: string
    readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number }
    readonly targets: ReadonlyArray<{ readonly expr: string }>
  }
  const { panels, templating }: {
    readonly panels: ReadonlyArray<Panel>
    readonly templating: { readonly list: ReadonlyArray<{ readonly name: string; readonly definition?: string }> }
  } = JSON.parse(read("grafana/autoscaled-pool.json"))

  it("queries metrics that there are, and shows every one", () => {
    for (const { targets, title } of panels) for (const { expr } of targets) check(expr, title)
    const queries = JSON.stringify(panels)
    for (const { id } of described) assert.include(queries, inPrometheus(id))
    const [datasource, pool] = templating.list
    assert.strictEqual(datasource.name, "datasource")
    check(pool.definition ?? "", "the variable of the pool")
  })

  it("lays its panels side by side", () => {
    assert.strictEqual(new Set(panels.map(({ id }) => id)).size, panels.length)
    for (const { gridPos: a, id, title } of panels) {
      assert.isAtMost(a.x + a.w, 24, title)
      for (const other of panels) {
        const b = other.gridPos
        const overlaps = a.x < b.x + b.w && b.x < a.x + a.w && a.y < b.y + b.h && b.y < a.y + a.h
        assert.isTrue(other.id === id || !overlaps, `${title} and ${other.title} overlap`)
      }
    }
  })
})
