/** What the page does: chooses a policy, and reads out a moment. Plain JavaScript, as a browser runs it. */
export const script = `
const data = JSON.parse(document.getElementById("data").textContent)
const plot = data.plot
const spell = (millis) => Math.floor(millis / 60000) + ":" + String(Math.floor(millis / 1000) % 60).padStart(2, "0")

function choose(index) {
  for (const part of document.querySelectorAll("[data-run]")) part.classList.toggle("chosen", Number(part.dataset.run) === index)
  for (const group of document.querySelectorAll("svg")) {
    for (const run of group.querySelectorAll(".run.chosen")) run.parentNode.appendChild(run)
  }
  data.chosen = index
  for (const refresh of refreshes) refresh()
}

const escapeText = (text) => { const span = document.createElement("span"); span.textContent = text; return span.innerHTML }

const refreshes = []
for (const section of document.querySelectorAll("section[data-workload]")) {
  const picture = data.pictures[section.dataset.workload]
  const svg = section.querySelector("svg")
  const cross = svg.querySelector(".cross")
  const said = section.querySelector(".said")
  let moment, isPinned = false

  const read = () => {
    if (moment === undefined) return
    const x = plot.left + (plot.width - plot.left - plot.right) * moment
    cross.setAttribute("x1", x)
    cross.setAttribute("x2", x)
    const rows = picture.runs.map((run, index) => {
      const at = Math.min(run.inFlight.length - 1, Math.floor(moment * run.inFlight.length))
      return "<span><i class=key style='--c: var(--c" + (index % 8) + ")'></i>" + escapeText(run.policy) + " <b>" +
        Math.round(run.inFlight[at]) + "</b> of " + Math.round(run.desired[at]) + "</span>"
    })
    const run = picture.runs[data.chosen]
    const at = Math.min(run.inFlight.length - 1, Math.floor(moment * run.inFlight.length))
    const reason = run.reasons.findLast(([stretch]) => stretch <= at)
    const loads = Object.entries(run.lanes).filter(([name]) => name !== "waiting" || picture.isOpen).map(([name, values]) =>
      name + " " + (name === "waiting" ? values[at] : Math.round(values[at] * 100) + "\\u00a0%"))
    said.classList.toggle("pinned", isPinned)
    said.style.setProperty("--c", "var(--c" + (data.chosen % 8) + ")")
    said.innerHTML = "<div class=row><b>" + spell(moment * picture.duration) + "</b>" + rows.join("") + "</div><div>" +
      escapeText(loads.join(" · ")) + "</div><div><b>" + escapeText(run.policy) + "</b> " +
      (reason === undefined ? "has not decided yet" : "decided " + escapeText(reason[1])) + "</div>"
  }
  refreshes.push(read)

  const follow = (event) => {
    const box = svg.getBoundingClientRect()
    const x = ((event.clientX - box.left) / box.width) * plot.width
    const share = (x - plot.left) / (plot.width - plot.left - plot.right)
    if (share < 0 || share > 1) return
    moment = share
    read()
  }
  svg.addEventListener("pointermove", (event) => { if (!isPinned) follow(event) })
  svg.addEventListener("click", (event) => { isPinned = !isPinned; follow(event) })
}
for (const row of document.querySelectorAll("tr[data-run]")) row.addEventListener("click", () => choose(Number(row.dataset.run)))
choose(data.chosen)
`
