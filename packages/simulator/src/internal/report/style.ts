/** The looks of the page, in light and in dark. */
export const style = `
:root {
  color-scheme: light dark;
  --page: #f7f7f5; --card: #ffffff; --ink: #1d2126; --soft: #5d6670; --line: #e2e4e6; --fill: #f0f1f2;
  --good: #1a9c74; --bad: #d8573c; --warn: #d8573c;
  --c0: #0b6bcb; --c1: #d97706; --c2: #7c3aed; --c3: #0d9488; --c4: #db2777; --c5: #65801a; --c6: #64748b; --c7: #b45309;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #14171a; --card: #1c2024; --ink: #e8eaec; --soft: #98a2ab; --line: #30363c; --fill: #262b30;
    --good: #2bb98a; --bad: #e4694d; --warn: #f0795b;
    --c0: #5aa9f5; --c1: #f5a742; --c2: #a98bfa; --c3: #3ccabb; --c4: #f472b6; --c5: #a8c545; --c6: #a3b1c2; --c7: #e0954a;
  }
}
* { box-sizing: border-box }
body { margin: 0; background: var(--page); color: var(--ink); font: 15px/1.5 system-ui, sans-serif }
main { max-width: 1280px; margin: 0 auto; padding: 28px 20px 60px }
h1 { font-size: 24px; margin: 0 0 4px; letter-spacing: -0.01em }
h2 { font-size: 18px; margin: 0 }
p { margin: 0; color: var(--soft) }
a { color: inherit; text-decoration: none }
a:hover { text-decoration: underline }
section { background: var(--card); border: 1px solid var(--line); border-radius: 10px; padding: 16px 18px; margin-top: 18px }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums }
th { font-weight: 500; color: var(--soft); font-size: 12.5px; text-align: right; padding: 3px 6px; white-space: nowrap }
td { text-align: right; padding: 4px 6px; font-size: 13.5px; white-space: nowrap }
th:first-child, td:first-child { text-align: left }
.scores { overflow-x: auto }
.scores td.cell { background: color-mix(in oklab, color-mix(in oklab, var(--good) var(--s), var(--bad)) 38%, var(--card));
  border: 2px solid var(--card); border-radius: 6px; min-width: 52px; text-align: center }
.scores td.sum { font-weight: 600 }
.scores th { text-align: center }
.scores th:first-child { text-align: left }
.killed { color: var(--warn); font-size: 11.5px; font-weight: 600; margin-left: 3px }
.key { display: inline-block; width: 11px; height: 11px; border-radius: 3px; background: var(--c); margin-right: 7px }
.legend { display: flex; gap: 18px; flex-wrap: wrap; font-size: 13px; margin-top: 8px }
.legend i { display: inline-block; width: 22px; height: 11px; margin-right: 6px; vertical-align: -1px }
.legend .b { background: color-mix(in oklab, var(--good) 20%, transparent); border-bottom: 2px dashed var(--good) }
.legend .f { border-bottom: 2.5px solid var(--soft); height: 7px; vertical-align: 3px }
.legend .d { border-bottom: 2.5px dotted var(--soft); height: 7px; vertical-align: 3px }
.legend .o { background: var(--warn) }
.head { display: flex; gap: 12px; align-items: baseline; flex-wrap: wrap; margin-bottom: 8px }
.head .best { margin-left: auto; font-size: 13px }
.body { display: grid; grid-template-columns: minmax(0, 1fr) 384px; gap: 18px; align-items: start }
@media (max-width: 1020px) { .body { grid-template-columns: 1fr } }
.runs td, .runs th { padding-left: 4px; padding-right: 5px }
.runs tr[data-run] { cursor: pointer }
.runs tr[data-run]:hover td { background: var(--fill) }
.runs tr.chosen td { background: var(--fill); font-weight: 600 }
.runs td:first-child { border-radius: 6px 0 0 6px }
.runs td:last-child { border-radius: 0 6px 6px 0 }
.said { margin-top: 12px; padding: 10px 12px; background: var(--fill); border-radius: 8px; font-size: 13px; min-height: 106px }
.said b { font-weight: 600 }
.said .row { display: flex; gap: 14px; flex-wrap: wrap; color: var(--soft); margin-bottom: 4px }
.said .row span { white-space: nowrap; color: var(--ink) }
.pinned { outline: 2px solid var(--c) }
svg { display: block; width: 100%; height: auto; font: 11.5px system-ui, sans-serif; touch-action: pan-y }
.grid, .floor { stroke: var(--line) }
.tick { fill: var(--soft) }
.axis-name { fill: var(--soft) }
.phase { stroke: var(--soft); stroke-dasharray: 2 4; opacity: .7 }
.band { fill: var(--good); opacity: .16 }
.knee { stroke: var(--good); stroke-width: 1.5; stroke-dasharray: 7 4 }
.knee-name { fill: var(--good); font-weight: 600; paint-order: stroke; stroke: var(--card); stroke-width: 4px; stroke-linejoin: round }
.in-flight { fill: none; stroke: var(--c); stroke-width: 1.3; opacity: .6 }
.desired { fill: none; stroke: var(--c); stroke-dasharray: 2 3; opacity: 0 }
.kill { fill: var(--c); font-weight: 700; font-size: 13px; opacity: .6 }
.run.chosen .in-flight { stroke-width: 2.2; opacity: 1 }
.run.chosen .desired { opacity: .55 }
.run.chosen .kill { opacity: 1 }
.lane { display: none }
.lane.chosen { display: inline }
.load { fill: var(--c); opacity: .32 }
.over { fill: var(--warn); opacity: .85 }
.target { stroke: var(--soft); stroke-dasharray: 3 3; opacity: .7 }
.cross { stroke: var(--ink); opacity: .5 }
`
