/**
 * One workload as a picture: concurrency over time of every policy against the best fixed concurrency, and beneath it the
 * signals of each policy. Everything is drawn here; the page's script only shows, hides and reads out.
 */
import type { PhaseOptimum } from "../../Oracle.ts"
import * as Workload from "../../Workload.ts"
import type { Series } from "./series.ts"
import { escape } from "./text.ts"

export const plot = { width: 880, left: 76, right: 12, top: 14, height: 230, laneHeight: 30, laneGap: 8, axis: 22 }

const innerWidth = plot.width - plot.left - plot.right
const laneTop = plot.top + plot.height + 14
const mostLoad = 1.3
/** A signal that never says more than this has nothing to show. */
const leastShown = 0.1

export interface Picture {
  /** Unique on the page, and fit for an attribute. */
  readonly id: string
  readonly workload: Workload.Workload
  readonly optima: ReadonlyArray<PhaseOptimum>
  readonly series: ReadonlyArray<Series>
}

export const draw = (picture: Picture): string => {
  const lanes = lanesOf(picture)
  const bottom = laneTop + lanes.length * (plot.laneHeight + plot.laneGap)
  const scale = concurrencyScale(picture)
  return [
    `<svg viewBox="0 0 ${plot.width} ${bottom + plot.axis}" role="img" aria-label="Concurrency over time on ` +
    `${escape(picture.workload.name)}">`,
    `<clipPath id="${picture.id}-clip"><rect x="${plot.left}" y="${
      plot.top - 3
    }" width="${innerWidth}" height="${bottom}"/></clipPath>`,
    gridOf(scale),
    bandsOf(picture, scale),
    `<g clip-path="url(#${picture.id}-clip)">`,
    ...picture.series.map((series, index) => curvesOf(series, index, picture.workload.duration, scale)),
    `</g>`,
    kneesOf(picture, scale),
    ...lanes.map((lane, index) => laneOf(picture, lane, laneTop + index * (plot.laneHeight + plot.laneGap))),
    timeAxis(picture.workload.duration, bottom),
    `<line class="cross" x1="-9" x2="-9" y1="${plot.top}" y2="${bottom}"/>`,
    `</svg>`
  ].join("")
}

interface Scale {
  readonly y: (concurrency: number) => number
  readonly ticks: ReadonlyArray<number>
}

/** A square root: it shows a climb from 1 and a plateau at 100 alike. What is far beyond every knee leaves the picture. */
const concurrencyScale = ({ optima, series }: Picture): Scale => {
  const highest = Math.max(...series.map(({ inFlight }) => largest(inFlight)))
  const knee = Math.max(...optima.map((optimum) => optimum.knee))
  const most = Math.max(5, 1.7 * knee + 1, Math.min(1.05 * highest, 3 * knee))
  const y = (concurrency: number) => plot.top + plot.height * (1 - Math.sqrt(concurrency / most))
  return { y, ticks: [1, 5, 10, 20, 50, 100, 200, 500].filter((tick) => tick <= most) }
}

const largest = (values: ReadonlyArray<number>): number => values.reduce((a, b) => Math.max(a, b), 0)

const xOf = (at: number, duration: number): number => plot.left + (innerWidth * at) / duration

const gridOf = ({ ticks, y }: Scale): string =>
  ticks.map((tick) =>
    `<line class="grid" x1="${plot.left}" x2="${plot.width - plot.right}" y1="${px(y(tick))}" y2="${px(y(tick))}"/>` +
    `<text class="tick" x="${plot.left - 8}" y="${px(y(tick) + 4)}" text-anchor="end">${tick}</text>`
  ).join("") +
  `<text class="axis-name" transform="translate(14 ${plot.top + plot.height / 2}) rotate(-90)" text-anchor="middle">` +
  `tasks in flight (root scale)</text>`

/** Where a policy should be: from the knee to where the score begins to count too much. */
const bandsOf = (picture: Picture, { y }: Scale): string =>
  phasesOf(picture).map(({ from, knee, to }) => {
    const [low, high] = [y(knee), Math.max(plot.top, y(1.5 * knee + 1))]
    return `<rect class="band" x="${px(from)}" width="${px(to - from)}" y="${px(high)}" height="${px(low - high)}"/>`
  }).join("")

const kneesOf = (picture: Picture, { y }: Scale): string =>
  phasesOf(picture).map(({ from, knee, to }, index) => {
    const level = px(y(knee))
    const border = index === 0
      ? ""
      : `<line class="phase" x1="${px(from)}" x2="${px(from)}" y1="${plot.top}" y2="${plot.top + plot.height}"/>`
    return `${border}<line class="knee" x1="${px(from)}" x2="${px(to)}" y1="${level}" y2="${level}"/>` +
      `<text class="knee-name" x="${px(to - 5)}" y="${px(y(knee) + 14)}" text-anchor="end">knee ${knee}</text>`
  }).join("")

const phasesOf = ({ optima, workload }: Picture) => {
  const ends = Workload.phaseEnds(workload)
  const { duration, phases } = workload
  return optima.map(({ knee }, index) => ({
    knee,
    from: xOf(phases[index].startsAt, duration),
    to: xOf(ends[index], duration)
  }))
}

const curvesOf = ({ desired, inFlight, kills }: Series, index: number, duration: number, { y }: Scale): string =>
  `<g class="run" data-run="${index}" style="--c: var(--c${index % 8})">` +
  `<path class="desired" d="${pathOf(desired, duration, y)}"/>` +
  `<path class="in-flight" d="${pathOf(inFlight, duration, y)}"/>` +
  kills.map((at) => `<text class="kill" x="${px(xOf(at, duration))}" y="${plot.top + 9}" text-anchor="middle">✕</text>`)
    .join("") +
  `</g>`

interface Lane {
  readonly name: string
  readonly target: number | undefined
  readonly most: number
}

const targets: Readonly<Record<string, number>> = { cpu: 0.95, memory: 0.9, eventLoop: 0.93, client: 1 }

const lanesOf = ({ series, workload }: Picture): ReadonlyArray<Lane> => {
  const names = [...new Set(series.flatMap(({ lanes }) => Object.keys(lanes)))]
  const most = (name: string) => Math.max(...series.map(({ lanes }) => largest(lanes[name] ?? [])))
  return names
    .filter((name) => name === "waiting" ? workload.arrivals.length > 0 : most(name) > leastShown)
    .map((name) => ({
      name,
      target: targets[name],
      most: targets[name] === undefined ? Math.max(1, most(name)) : mostLoad
    }))
}

const laneOf = ({ id, series, workload: { duration } }: Picture, { most, name, target }: Lane, top: number): string => {
  const y = (load: number) => top + plot.laneHeight * (1 - Math.min(1, load / most))
  const floor = top + plot.laneHeight
  const label = target === undefined ? `${name} ≤ ${Math.round(most)}` : name
  const clip = `${id}-${name}-over`
  const over = target === undefined ?
    "" :
    `<clipPath id="${clip}"><rect x="0" width="${plot.width}" y="${px(top - 1)}" ` +
    `height="${px(y(target) - top + 1)}"/></clipPath>`
  const areas = series.map(({ lanes }, index) => {
    const values = lanes[name]
    if (values === undefined) return ""
    const area = `${pathOf(values, duration, y)}L${px(xOf(duration, duration))} ${px(floor)}L${plot.left} ${px(floor)}Z`
    const hot = target === undefined ? "" : `<path class="over" clip-path="url(#${clip})" d="${area}"/>`
    return `<g class="lane" data-run="${index}" style="--c: var(--c${
      index % 8
    })"><path class="load" d="${area}"/>${hot}</g>`
  }).join("")
  const line = target === undefined ? "" : `<line class="target" x1="${plot.left}" x2="${plot.width - plot.right}" ` +
    `y1="${px(y(target))}" y2="${px(y(target))}"/>`
  return `${over}<text class="tick" x="${plot.left - 8}" y="${px(top + plot.laneHeight / 2 + 4)}" text-anchor="end">` +
    `${escape(label)}</text>${areas}${line}` +
    `<line class="floor" x1="${plot.left}" x2="${plot.width - plot.right}" y1="${px(floor)}" y2="${px(floor)}"/>`
}

const timeAxis = (duration: number, bottom: number): string => {
  const minutes = duration / 60_000
  const step = [0.5, 1, 2, 5, 10, 15, 30].find((step) => minutes / step <= 10) ?? 60
  const marks: Array<string> = []
  for (let minute = 0; minute <= minutes + 1e-9; minute += step) {
    marks.push(
      `<text class="tick" x="${px(xOf(minute * 60_000, duration))}" y="${bottom + 14}" text-anchor="middle">` +
        `${minute}${minute === 0 ? " min" : ""}</text>`
    )
  }
  return marks.join("")
}

/** One step per value: a value holds until the next one. */
const pathOf = (values: ReadonlyArray<number>, duration: number, y: (value: number) => number): string => {
  const width = duration / values.length
  let path = ""
  let last = ""
  for (const [index, value] of values.entries()) {
    const height = px(y(value))
    if (height === last) continue
    const x = px(xOf(index * width, duration))
    path += index === 0 ? `M${x} ${height}` : `H${x}V${height}`
    last = height
  }
  return `${path}H${px(xOf(duration, duration))}`
}

const px = (value: number): string => String(Math.round(value * 10) / 10)
