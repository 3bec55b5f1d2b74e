// @ts-check
/**
 * The page: it takes the token out of the link, follows the stream, and shows each pool.
 */
import { PoolView } from "./pool.js"
import { send, watch } from "./stream.js"

const element = (/** @type {string} */ id) => /** @type {HTMLElement} */ (document.getElementById(id))

/** The token comes in the link's fragment, which no server and no log sees, and is kept by this tab alone. */
const takeToken = () => {
  const given = new URLSearchParams(location.hash.slice(1)).get("token")
  if (given !== null) {
    sessionStorage.setItem("token", given)
    history.replaceState(null, "", "/")
  }
  return sessionStorage.getItem("token")
}

const token = takeToken()
const range = /** @type {HTMLSelectElement} */ (element("range"))
/** @type {Map<string, PoolView>} */
const views = new Map()
let page = { epoch: 0, isReadOnly: false, onAction: (/** @type {string} */ action, /** @type {PoolView} */ view) => act(action, view) }

const windowSeconds = () => Number(range.value)

const say = (/** @type {string} */ text, /** @type {string} */ state) => {
  const connection = element("connection")
  connection.textContent = text
  connection.dataset["state"] = state
}

/** @param {any} snapshot */
const viewOf = (snapshot) => {
  const known = views.get(snapshot.name)
  if (known !== undefined) return known
  const view = new PoolView(snapshot, page)
  views.set(snapshot.name, view)
  element("pools").append(view.element)
  return view
}

/** Everything anew, as at the first connection and after each break. @param {any} data */
const hello = (data) => {
  page = { ...page, epoch: data.epoch, isReadOnly: data.isReadOnly }
  views.clear()
  element("pools").replaceChildren()
  for (const { decisions, points, snapshot } of data.pools) {
    const view = viewOf(snapshot)
    view.points = points
    view.decisions = decisions
    view.render(windowSeconds())
    view.renderDecisions()
  }
  showWhetherEmpty()
}

/** @param {any} data */
const tick = ({ pools }) => {
  const names = new Set(pools.map((/** @type {any} */ { snapshot }) => snapshot.name))
  for (const [name, view] of views) {
    if (names.has(name)) continue
    view.element.remove()
    views.delete(name)
  }
  for (const seen of pools) viewOf(seen.snapshot).update(seen, windowSeconds())
  showWhetherEmpty()
}

const showWhetherEmpty = () => {
  element("nothing").hidden = views.size > 0
  const running = [...views.values()].filter(({ snapshot }) => snapshot.phase !== "Idle")
  document.title = running.length === 0 ? "Pools" : running.map(({ name, snapshot }) => `${name} ${snapshot.current}`).join(", ")
}

/** @param {PoolView} view @param {Record<string, unknown>} order */
const order = async (view, order) => view.tell(await send(token ?? "", { pool: view.name, ...order }))

/** @param {string} action @param {PoolView} view */
const act = (action, view) => {
  if (action === "abort") return askToAbort(view)
  if (action === "bounds") return askForBounds(view)
  void order(view, { action })
}

const abort = /** @type {HTMLDialogElement} */ (element("abort"))
const typed = /** @type {HTMLInputElement} */ (element("abort-typed"))
const go = /** @type {HTMLButtonElement} */ (element("abort-go"))

/** The pool that the open dialog is about. @type {PoolView | undefined} */
let asked

/** @param {PoolView} view */
const askToAbort = (view) => {
  asked = view
  element("abort-name").textContent = view.name
  typed.value = ""
  go.disabled = true
  abort.returnValue = ""
  abort.showModal()
}

typed.addEventListener("input", () => {
  go.disabled = typed.value !== asked?.name
})
abort.addEventListener("close", () => {
  if (abort.returnValue === "abort" && asked !== undefined) void order(asked, { action: "abort", confirm: typed.value })
})

const bounds = /** @type {HTMLDialogElement} */ (element("bounds"))
const form = /** @type {HTMLFormElement} */ (bounds.querySelector("form"))
const field = (/** @type {string} */ name) => /** @type {HTMLInputElement} */ (form.elements.namedItem(name))

/** @param {PoolView} view */
const askForBounds = (view) => {
  asked = view
  const { maxConcurrency, maxTasksPerMinute, minConcurrency } = view.snapshot.settings
  element("bounds-name").textContent = view.name
  field("minConcurrency").value = String(minConcurrency)
  field("maxConcurrency").value = String(maxConcurrency)
  field("maxTasksPerMinute").value = maxTasksPerMinute === null ? "" : String(maxTasksPerMinute)
  bounds.returnValue = ""
  bounds.showModal()
}

bounds.addEventListener("close", () => {
  if (bounds.returnValue !== "apply" || asked === undefined) return
  const rate = field("maxTasksPerMinute").value
  const change = {
    minConcurrency: field("minConcurrency").valueAsNumber,
    maxConcurrency: field("maxConcurrency").valueAsNumber,
    // A bound that is left empty is none, which JSON cannot say by a number.
    maxTasksPerMinute: rate === "" ? null : Number(rate)
  }
  void order(asked, { action: "configure", change })
})

range.addEventListener("change", () => {
  for (const view of views.values()) view.render(windowSeconds())
})
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
  for (const view of views.values()) view.redraw()
})

if (token === null) {
  say("This page needs the whole link that the program printed: the part behind # is missing.", "refused")
} else {
  watch(token, {
    onEvent: (name, data) => {
      if (name === "hello") hello(data)
      else if (name === "tick") tick(data)
      else if (name === "decision") views.get(data.pool)?.decide(data.decision)
    },
    onState: (state, sentence) => {
      if (state === "Open") say("Live", "open")
      else if (state === "Hidden") say("Resting while the page is hidden", "lost")
      else if (state === "Ended") say("The program has ended. This is what it did until then.", "ended")
      else if (state === "Lost") say("The connection is lost; the program may have ended. Trying again.", "lost")
      else say(sentence ?? "The program refused the connection.", "refused")
    }
  })
}
