// @ts-check
/**
 * Charts over time. A pointer on one of them shows that moment in all.
 */
import uPlot from "./uplot.js"
import { clock } from "./format.js"

/**
 * @typedef {{ at: number } & Record<string, any>} Point
 * @typedef {{ label: string, colour: string, value: (point: Point) => number | null | undefined, dash?: boolean, fill?: boolean, thin?: boolean }} Line
 * @typedef {{ title: string, lines: Line[], show: (value: number | null | undefined) => string, least?: number, levels?: { value: number, colour: string }[], whole?: boolean, marks?: () => { at: number, isUp: boolean }[] }} Plan
 */

const colourOf = (/** @type {string} */ name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim()

const alpha = (/** @type {string} */ colour, /** @type {number} */ share) =>
  `${colour}${Math.round(share * 255).toString(16).padStart(2, "0")}`

const height = 150

export class Chart {
  /** @param {Plan} plan @param {number} epoch @param {(point: Point | undefined) => void} onMoment */
  constructor(plan, epoch, onMoment) {
    this.plan = plan
    this.epoch = epoch
    this.onMoment = onMoment
    this.windowSeconds = 300
    /** @type {Point[]} */
    this.points = []
    const template = /** @type {HTMLTemplateElement} */ (document.getElementById("chart"))
    const copy = /** @type {DocumentFragment} */ (template.content.cloneNode(true))
    this.element = /** @type {HTMLElement} */ (copy.querySelector("figure"))
    this.canvas = /** @type {HTMLElement} */ (this.element.querySelector(".plot"))
    this.legend = /** @type {HTMLElement} */ (this.element.querySelector(".legend"))
    this.details = /** @type {HTMLDetailsElement} */ (this.element.querySelector("details"))
    this.table = /** @type {HTMLElement} */ (this.element.querySelector(".table"))
    const title = /** @type {HTMLElement} */ (this.element.querySelector(".title"))
    title.textContent = plan.title
    this.keys = plan.lines.map((line) => this.key(line))
    this.legend.append(...this.keys.map(({ element }) => element))
    this.details.addEventListener("toggle", () => this.fillTable())
    new ResizeObserver(() => this.plot?.setSize(this.size())).observe(this.canvas)
  }

  /** @param {Line} line */
  key(line) {
    const element = document.createElement("span")
    const mark = document.createElement("i")
    mark.className = line.dash ? "dash" : ""
    mark.style.setProperty("--c", `var(${line.colour})`)
    const value = document.createElement("b")
    element.append(mark, `${line.label} `, value)
    return { element, value }
  }

  size() {
    return { width: Math.max(120, this.canvas.clientWidth), height }
  }

  draw() {
    this.plot?.destroy()
    const { lines } = this.plan
    const line = colourOf("--line")
    const soft = colourOf("--soft")
    const axis = { stroke: soft, grid: { stroke: line, width: 1 }, ticks: { stroke: line, width: 1 }, font: "11px system-ui, sans-serif" }
    this.plot = new uPlot(
      {
        ...this.size(),
        legend: { show: false },
        cursor: { sync: { key: "moment", setSeries: false }, drag: { x: false, y: false }, points: { size: 7 } },
        scales: {
          x: { time: true, range: () => this.range() },
          y: { range: (/** @type {unknown} */ _, /** @type {number} */ __, /** @type {number} */ most) => [0, Math.max(this.plan.least ?? 1, most * 1.08)] }
        },
        axes: [{ ...axis, size: 26, space: 90, values: (/** @type {unknown} */ _, /** @type {number[]} */ ticks) => ticks.map((tick) => clock(tick * 1000)) }, {
            ...axis,
            size: 60,
            // Whole things are counted in whole steps.
            incrs: this.plan.whole ? [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000] : undefined,
            values: (/** @type {unknown} */ _, /** @type {number[]} */ ticks) => ticks.map(this.plan.show)
          }],
        series: [
          {},
          ...lines.map((each) => ({
            label: each.label,
            stroke: colourOf(each.colour),
            width: each.thin ? 1 : 1.75,
            dash: each.dash ? [6, 4] : undefined,
            fill: each.fill ? alpha(colourOf(each.colour), 0.14) : undefined,
            paths: each.dash || each.thin ? uPlot.paths.stepped?.({ align: 1 }) : undefined,
            spanGaps: false,
            points: { show: false }
          }))
        ],
        hooks: {
          setCursor: [(/** @type {any} */ plot) => this.follow(plot.cursor)],
          draw: [(/** @type {any} */ plot) => this.drawLevels(plot), (/** @type {any} */ plot) => this.drawMarks(plot)]
        }
      },
      this.data(),
      this.canvas
    )
  }

  /** Levels that hold, such as targets, as dashed lines across the chart. @param {any} plot */
  drawLevels(plot) {
    const { ctx } = plot
    for (const { colour, value } of this.plan.levels ?? []) {
      const y = plot.valToPos(value, "y", true)
      if (y < plot.bbox.top) continue
      ctx.save()
      ctx.strokeStyle = alpha(colourOf(colour), 0.55)
      ctx.setLineDash([2, 4])
      ctx.lineWidth = devicePixelRatio
      ctx.beginPath()
      ctx.moveTo(plot.bbox.left, y)
      ctx.lineTo(plot.bbox.left + plot.bbox.width, y)
      ctx.stroke()
      ctx.restore()
    }
  }

  /** Moments at which something was decided, as triangles at the foot of the chart. @param {any} plot */
  drawMarks(plot) {
    const { ctx } = plot
    const size = 4 * devicePixelRatio
    const foot = plot.bbox.top + plot.bbox.height
    for (const { at, isUp } of this.plan.marks?.() ?? []) {
      const x = plot.valToPos((at + this.epoch) / 1000, "x", true)
      if (x < plot.bbox.left || x > plot.bbox.left + plot.bbox.width) continue
      ctx.fillStyle = colourOf(isUp ? "--good" : "--bad")
      ctx.beginPath()
      ctx.moveTo(x - size, isUp ? foot : foot - 2 * size)
      ctx.lineTo(x + size, isUp ? foot : foot - 2 * size)
      ctx.lineTo(x, isUp ? foot - 2 * size : foot)
      ctx.fill()
    }
  }

  /** From the beginning of the window, or of what is known where that is later. */
  /** @returns {[number, number]} */
  range() {
    const end = (this.points.at(-1)?.at ?? 0) + this.epoch
    const begin = Math.max(end - this.windowSeconds * 1000, (this.points[0]?.at ?? 0) + this.epoch)
    return [Math.min(begin, end - 30_000) / 1000, end / 1000]
  }

  /** The pointer has moved, here or on another chart. @param {{ idx?: number | null, left?: number }} cursor */
  follow({ idx, left = -1 }) {
    const index = left < 0 ? null : idx
    this.read(index)
    this.onMoment(index == null ? undefined : this.points[index])
  }

  /** @returns {uPlot.AlignedData} */
  data() {
    return /** @type {any} */ ([ // as many columns as there are lines, which the type does not say

      this.points.map(({ at }) => (at + this.epoch) / 1000),
      ...this.plan.lines.map(({ value }) => this.points.map((point) => value(point) ?? null))
    ])
  }

  /** @param {Point[]} points @param {number} windowSeconds */
  update(points, windowSeconds) {
    this.windowSeconds = windowSeconds
    const from = (points.at(-1)?.at ?? 0) - windowSeconds * 1000
    // One point before the window, so that lines come from its edge.
    const first = Math.max(0, points.findIndex(({ at }) => at >= from) - 1)
    this.points = points.slice(first)
    if (this.plot === undefined) this.draw()
    else this.plot.setData(this.data())
    this.follow(this.plot?.cursor ?? {})
    if (this.details.open) this.fillTable()
    this.canvas.setAttribute("aria-label", this.summary())
  }

  /** The values of a moment, or of the last one. @param {number | null | undefined} index */
  read(index) {
    const point = this.points[index ?? this.points.length - 1] ?? this.points.at(-1)
    this.plan.lines.forEach(({ value }, line) => {
      this.keys[line].value.textContent = point === undefined ? "–" : this.plan.show(value(point))
    })
  }

  summary() {
    const last = this.points.at(-1)
    if (last === undefined) return `${this.plan.title}: nothing yet`
    return `${this.plan.title}: ${this.plan.lines.map(({ label, value }) => `${label} ${this.plan.show(value(last))}`).join(", ")}`
  }

  fillTable() {
    if (!this.details.open) return
    const step = Math.max(1, Math.ceil(this.points.length / 30))
    const rows = this.points.filter((_, index) => (this.points.length - 1 - index) % step === 0).toReversed()
    const table = document.createElement("table")
    const head = table.createTHead().insertRow()
    for (const text of ["time", ...this.plan.lines.map(({ label }) => label)]) {
      const cell = document.createElement("th")
      cell.scope = "col"
      cell.textContent = text
      head.append(cell)
    }
    const body = table.createTBody()
    for (const point of rows) {
      const row = body.insertRow()
      row.insertCell().textContent = clock(point.at + this.epoch)
      for (const { value } of this.plan.lines) row.insertCell().textContent = this.plan.show(value(point))
    }
    this.table.replaceChildren(table)
  }
}
