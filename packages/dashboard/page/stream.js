// @ts-check
/**
 * The stream of what happens, read with `fetch`, as an `EventSource` can neither send a token nor tell a wrong one.
 */

/**
 * Reads server-sent events from a response until it ends.
 *
 * @param {ReadableStream<Uint8Array>} body
 * @param {(name: string, data: any) => void} onEvent
 */
const read = async (body, onEvent) => {
  const reader = body.getReader()
  const decoder = new TextDecoder()
  let rest = ""
  for (;;) {
    const { done, value } = await reader.read()
    if (done) return
    rest += decoder.decode(value, { stream: true })
    const blocks = rest.split("\n\n")
    rest = blocks.pop() ?? ""
    for (const block of blocks) {
      const name = /^event: (.*)$/m.exec(block)?.[1]
      const data = /^data: (.*)$/m.exec(block)?.[1]
      if (name !== undefined && data !== undefined) onEvent(name, JSON.parse(data))
    }
  }
}

/**
 * Keeps the stream open while the page is visible, and opens it again when it breaks.
 *
 * @param {string} token
 * @param {{
 *   onEvent: (name: string, data: any) => void,
 *   onState: (state: "Open" | "Hidden" | "Ended" | "Lost" | "Refused", sentence?: string) => void
 * }} handlers
 */
export const watch = (token, { onEvent, onState }) => {
  let abort = new AbortController()
  let hasEnded = false
  let attempt = 0

  const connect = async () => {
    abort = new AbortController()
    const { signal } = abort
    try {
      const response = await fetch("/api/events", { headers: { authorization: `Bearer ${token}` }, signal, cache: "no-store" })
      if (!response.ok || response.body === null) {
        onState("Refused", (await response.text()).trim())
        // A wrong token stays wrong; a page too many may find a place later.
        if (response.status !== 503) return
      } else {
        attempt = 0
        onState("Open")
        await read(response.body, (name, data) => {
          if (name === "bye") hasEnded = true
          else onEvent(name, data)
        })
      }
    } catch {
      // What broke is told below.
    }
    if (signal.aborted) return
    onState(hasEnded ? "Ended" : "Lost")
    hasEnded = false
    attempt++
    setTimeout(() => document.hidden || signal.aborted ? undefined : connect(), Math.min(10_000, 500 * attempt))
  }

  document.addEventListener("visibilitychange", () => {
    abort.abort()
    if (document.hidden) onState("Hidden")
    else void connect()
  })
  void connect()
}

/**
 * Sends an order. Gives back what went wrong, or `undefined`.
 *
 * @param {string} token
 * @param {Record<string, unknown>} order
 * @returns {Promise<string | undefined>}
 */
export const send = async (token, order) => {
  try {
    const response = await fetch("/api/orders", {
      method: "POST",
      headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
      body: JSON.stringify(order)
    })
    return response.ok ? undefined : (await response.text()).trim()
  } catch {
    return "The program did not answer. It may have ended."
  }
}
