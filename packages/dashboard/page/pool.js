// @ts-check
/**
 * One pool on the page: its sentence, its numbers, its charts, its decisions, and what may be done to it.
 */
import { Chart } from "./charts.js"
import * as format from "./format.js"

const colours = ["--c0", "--c1", "--c2", "--c3", "--c4", "--c5", "--c6", "--c7"]

/** @type {Record<string, readonly [label: string, colour: string]>} */
const reasons = {
  starting: ["tasks were starting", "--good"],
  AtDesired: ["as many in flight as desired", "--c0"],
  AtOwnMaximum: ["as many in flight as this pool may have", "--c6"],
  HeldForHeavier: ["permits were kept for a heavier task", "--c5"],
  Overloaded: ["a signal was overloaded", "--bad"],
  StartAllowanceSpent: ["the policy waited to see what tasks use", "--c1"],
  RateLimited: ["starts were paced", "--c2"],
  KeysFull: ["what was ready waited for its key", "--c7"],
  Paused: ["paused", "--c6"],
  NoTaskReady: ["nothing to start", "--c3"],
  Delayed: ["failed tasks waited to be tried again", "--c5"],
  Draining: ["draining", "--c6"],
  Finalizing: ["finalizers were running", "--c4"]
}

const mostPoints = 2100
const mostDecisions = 200

export class PoolView {
  /** @param {any} snapshot @param {{ epoch: number, isReadOnly: boolean, onAction: (action: string, pool: PoolView) => void }} page */
  constructor(snapshot, page) {
    this.page = page
    this.name = snapshot.name
    this.snapshot = snapshot
    /** @type {any[]} */
    this.points = []
    /** @type {any[]} */
    this.decisions = []
    const template = /** @type {HTMLTemplateElement} */ (document.getElementById("pool"))
    const copy = /** @type {DocumentFragment} */ (template.content.cloneNode(true))
    this.element = /** @type {HTMLElement} */ (copy.querySelector("section"))
    this.part("h2").textContent = this.name
    this.part(".decisions").setAttribute("aria-label", `Decisions of ${this.name}`)
    this.charts = this.makeCharts(snapshot)
    this.part(".charts").append(...this.charts.map(({ element }) => element))
    this.part(".actions").hidden = page.isReadOnly
    for (const button of this.element.querySelectorAll("button")) {
      button.addEventListener("click", () => page.onAction(button.dataset["action"] ?? "", this))
    }
  }

  /** @param {string} selector @returns {HTMLElement} */
  part(selector) {
    return /** @type {HTMLElement} */ (this.element.querySelector(selector))
  }

  /** @param {any} snapshot */
  makeCharts({ signals }) {
    const { epoch } = this.page
    const rate = (/** @type {number | null | undefined} */ value) => value == null ? "–" : `${format.number(value)}/s`
    const millis = (/** @type {number | null | undefined} */ value) => value == null ? "–" : format.duration(value)
    const load = (/** @type {number | null | undefined} */ value) => value == null ? "–" : format.percent(value)
    const onMoment = (/** @type {any} */ point) => this.showMoment(point)
    return [
      new Chart({
        title: "Concurrency, and when it was decided on",
        show: format.number,
        least: 4,
        whole: true,
        marks: () => this.decisions.map(({ at, from, to }) => ({ at, isUp: to > from })),
        lines: [
          { label: "in flight", colour: "--c0", value: ({ current }) => current, fill: true },
          { label: "desired", colour: "--c1", value: ({ desired }) => desired, dash: true },
          { label: "at most", colour: "--c6", value: ({ desired, max }) => max > 4 * desired + 8 ? null : max, thin: true }
        ]
      }, epoch, onMoment),
      new Chart({
        title: "Load of each signal, and its target",
        show: load,
        least: 1.05,
        levels: signals.map((/** @type {any} */ { target }, /** @type {number} */ index) => ({ value: target, colour: colours[index % 8] })),
        lines: signals.map((/** @type {any} */ { name }, /** @type {number} */ index) => ({
          label: name,
          colour: colours[index % 8],
          value: (/** @type {any} */ { loads }) => loads[name]
        }))
      }, epoch, onMoment),
      new Chart({
        title: "Tasks that ended",
        show: rate,
        lines: [{ label: "throughput", colour: "--c3", value: ({ perSecond }) => perSecond, fill: true }]
      }, epoch, onMoment),
      new Chart({
        title: "How long tasks took",
        show: millis,
        least: 10,
        lines: [
          { label: "p50", colour: "--c2", value: ({ p50 }) => p50 },
          { label: "p95", colour: "--c4", value: ({ p95 }) => p95 }
        ]
      }, epoch, onMoment)
    ]
  }

  /** @param {any} seen @param {number} windowSeconds */
  update({ point, snapshot }, windowSeconds) {
    this.snapshot = snapshot
    if (point !== undefined) {
      this.points.push(point)
      if (this.points.length > mostPoints) this.points.shift()
    }
    this.render(windowSeconds)
  }

  /** @param {any} decision */
  decide(decision) {
    this.decisions.push(decision)
    if (this.decisions.length > mostDecisions) this.decisions.shift()
    this.renderDecisions()
  }

  redraw() {
    for (const chart of this.charts) chart.draw()
  }

  /** What held at the moment under the pointer, in words. @param {any} point */
  showMoment(point) {
    const moment = this.part(".moment")
    if (point === undefined) {
      setText(moment, "Point at a chart to see that moment in all of them.")
      return
    }
    const [held] = reasons[point.blocker ?? "starting"] ?? [point.blocker]
    const decision = this.decisions.findLast(({ at }) => at <= point.at + 500)
    const decided = decision === undefined ? "" : `; last decision: ${decision.from} → ${decision.to}, ${decision.reason.summary}`
    setText(moment, `${format.clock(point.at + this.page.epoch)}: ${held}${decided}.`)
  }

  /** What went wrong with an order; nothing where all is well. @param {string | undefined} sentence */
  tell(sentence) {
    const problem = this.part(".problem")
    problem.textContent = sentence ?? ""
    problem.hidden = sentence === undefined
  }

  /** @param {number} windowSeconds */
  render(windowSeconds) {
    const { snapshot } = this
    const isRunning = snapshot.phase !== "Idle"
    this.part(".phase").textContent = snapshot.isPaused && isRunning ? "paused" : snapshot.phase.toLowerCase()
    this.part(".phase").dataset["phase"] = snapshot.phase
    setText(this.part(".sentence"), sentenceOf(snapshot))
    this.renderProgress()
    this.renderTiles()
    for (const chart of this.charts) chart.update(this.points, windowSeconds)
    this.renderShares(windowSeconds)
    this.renderOldest()
    for (const button of this.element.querySelectorAll("button")) button.disabled = !isRunning
    const pause = /** @type {HTMLElement} */ (this.element.querySelector("[data-action=pause], [data-action=resume]"))
    pause.dataset["action"] = snapshot.isPaused ? "resume" : "pause"
    pause.textContent = snapshot.isPaused ? "Resume" : "Pause"
  }

  renderProgress() {
    const { run } = this.snapshot
    const progress = this.part(".progress")
    progress.hidden = run?.total === undefined
    if (run?.total === undefined) return
    const share = run.total === 0 ? 1 : Math.min(1, run.ended / run.total)
    const bar = /** @type {HTMLProgressElement} */ (this.part("progress"))
    bar.value = share
    bar.setAttribute("aria-label", "Progress of the run")
    const perSecond = this.points.at(-1)?.perSecond ?? 0
    const left = this.snapshot.phase === "Running" && perSecond > 0
      ? `, about ${format.duration((run.total - run.ended) / perSecond * 1000)} left`
      : ""
    setText(this.part(".progress span"), `${format.number(run.ended)} of ${format.number(run.total)}, ${format.percent(share)}${left}`)
  }

  renderTiles() {
    const { snapshot } = this
    const { current, desired, policy, settings, totals } = snapshot
    const point = this.points.at(-1)
    const tiles = [
      ["in flight", `${current} of ${desired}`, `${settings.minConcurrency} to ${settings.maxConcurrency} allowed${snapshot.share === undefined ? "" : `, share ${snapshot.share}`}`],
      ["throughput", point === undefined ? "–" : `${format.number(point.perSecond)}/s`, `${format.number(totals.succeeded)} succeeded`],
      ["half take up to", point?.p50 == null ? "–" : format.duration(point.p50), point?.p95 == null ? "" : `95 %: ${format.duration(point.p95)}`],
      ["failed", format.number(totals.failed + totals.timedOut), `${format.number(totals.rejected)} met a rate limit`],
      ["policy", policy, settings.maxTasksPerMinute === null ? "starts are not capped" : `${settings.maxTasksPerMinute} starts a minute`],
      ...snapshot.heldBackKeys.length === 0 ? [] : [[
        "held back by keys",
        format.number(snapshot.heldBackKeys.reduce((/** @type {number} */ sum, /** @type {any} */ { parked }) => sum + parked, 0)),
        snapshot.heldBackKeys.map((/** @type {any} */ { inFlight, key, limit, parked }) => `${key}: ${parked}, ${inFlight} of ${limit ?? "any"} run`).join("; ")
      ]],
      ...snapshot.phase === "Idle" ? [] : snapshot.signals.map((/** @type {any} */ signal) => [
        signal.name,
        signal.isStale ? "silent" : format.percent(signal.load),
        signal.measure === undefined ? `target ${format.percent(signal.target)}` : format.measure(signal.measure),
        signal.isOverloaded ? "overloaded" : ""
      ])
    ]
    const list = this.part(".tiles")
    tiles.forEach(([label, value, more, state = ""], index) => {
      let tile = /** @type {HTMLElement | undefined} */ (list.children[index])
      if (tile === undefined) {
        tile = document.createElement("div")
        tile.append(document.createElement("dt"), document.createElement("dd"), document.createElement("dd"))
        list.append(tile)
      }
      tile.dataset["state"] = state
      setText(tile.children[0], state === "" ? label : `${label}, ${state}`)
      setText(tile.children[1], value)
      setText(tile.children[2], more)
    })
    while (list.children.length > tiles.length) list.lastElementChild?.remove()
  }

  /** @param {number} windowSeconds */
  renderShares(windowSeconds) {
    const from = (this.points.at(-1)?.at ?? 0) - windowSeconds * 1000
    /** @type {Map<string, number>} */
    const times = new Map()
    let total = 0
    for (let index = 1; index < this.points.length; index++) {
      const { at, blocker } = this.points[index]
      if (at < from) continue
      const elapsed = at - this.points[index - 1].at
      times.set(blocker ?? "starting", (times.get(blocker ?? "starting") ?? 0) + elapsed)
      total += elapsed
    }
    const rows = [...times].toSorted(([, a], [, b]) => b - a).map(([reason, time]) => {
      const [label, colour] = reasons[reason] ?? [reason, "--c7"]
      return barRow(label, time / total, format.percent(time / total), colour)
    })
    this.part(".shares").replaceChildren(...rows)
  }

  renderOldest() {
    const { oldestAges } = this.snapshot
    const longest = Math.max(1, ...oldestAges)
    const rows = oldestAges.slice(0, 6).map((/** @type {number} */ age, /** @type {number} */ index) =>
      barRow(index === 0 ? "oldest" : `${index + 1}.`, age / longest, format.duration(age), "--c4")
    )
    if (rows.length > 0) return this.part(".oldest").replaceChildren(...rows)
    const none = document.createElement("p")
    none.textContent = "No task is in flight."
    this.part(".oldest").replaceChildren(none)
  }

  renderDecisions() {
    const body = /** @type {HTMLTableSectionElement} */ (this.element.querySelector("tbody"))
    const rows = this.decisions.toReversed().slice(0, 50).map((decision) => {
      const row = document.createElement("tr")
      row.dataset["direction"] = decision.to > decision.from ? "up" : "down"
      const loads = Object.entries(decision.loads).map(([name, { load, target }]) =>
        `${name} ${format.percent(load)} of ${format.percent(target)}`
      )
      const cells = [format.clock(decision.at + this.page.epoch), `${decision.from} → ${decision.to}`, decision.reason.summary, loads.join(", ")]
      for (const text of cells) row.insertCell().textContent = text
      return row
    })
    body.replaceChildren(...rows)
  }
}

const sentenceOf = (/** @type {any} */ { holding, phase, run }) => {
  if (holding !== undefined) return holding.words
  if (phase === "Running") return "Tasks are starting."
  if (phase === "Ending") return "The run is ending: what runs is coming to its end."
  return run === undefined ? "The pool has not run yet." : `The run has ended: ${format.number(run.ended)} tasks were done.`
}

const setText = (/** @type {Element} */ element, /** @type {string} */ text) => {
  if (element.textContent !== text) element.textContent = text
}

const barRow = (/** @type {string} */ label, /** @type {number} */ share, /** @type {string} */ value, /** @type {string} */ colour) => {
  const row = document.createElement("div")
  row.className = "bar"
  const name = document.createElement("span")
  name.textContent = label
  const track = document.createElement("i")
  track.style.setProperty("--w", `${Math.max(0.5, share * 100)}%`)
  track.style.setProperty("--c", `var(${colour})`)
  const amount = document.createElement("b")
  amount.textContent = value
  row.append(name, track, amount)
  return row
}
