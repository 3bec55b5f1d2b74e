/**
 * The page in a real browser.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, type Scope } from "effect"
import { readFileSync } from "node:fs"
import * as http from "node:http"
import { createRequire } from "node:module"
import type { AddressInfo } from "node:net"
import type { Browser, BrowserContextOptions, Page } from "playwright-core"
import { browser, program, whyNone } from "./browser.ts"

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8")

interface Opened {
  readonly page: Page
  readonly complaints: ReadonlyArray<string>
}

const test = (
  name: string,
  body: (browser: Browser) => Generator<Effect.Effect<unknown, never, Scope.Scope>, void, never>
) =>
  (whyNone === undefined ? it.live : it.live.skip)(
    whyNone === undefined ? name : `${name} (skipped: ${whyNone})`,
    () => Effect.scoped(Effect.flatMap(browser, (browser) => Effect.gen(() => body(browser))))
  )

/** Opens a page, and collects what its console complains of. */
const open = (browser: Browser, url: string, options: BrowserContextOptions = {}): Effect.Effect<Opened> =>
  Effect.promise(async () => {
    const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options })
    const page = await context.newPage()
    const complaints: Array<string> = []
    page.on("console", (message) => {
      if (message.type() === "error" || message.type() === "warning") complaints.push(message.text())
    })
    page.on("pageerror", (error) => complaints.push(error.message))
    await page.goto(url)
    return { page, complaints }
  })

const act = <A>(perform: () => Promise<A>): Effect.Effect<A> => Effect.promise(perform)

const shows = (page: Page, selector: string, text: string | RegExp) =>
  act(() => page.locator(selector).filter({ hasText: text }).first().waitFor({ timeout: 15_000 }))

/** What axe finds. The page's own policy lets no other script in: it is evaluated past that. */
const violations = (page: Page): Effect.Effect<ReadonlyArray<string>> =>
  act(async () => {
    await page.evaluate(axe)
    return page.evaluate(async () => {
      const { axe } = globalThis as unknown as { readonly axe: { readonly run: () => Promise<Found> } } // it has made itself global
      const { violations } = await axe.run()
      return violations.map(({ id, nodes }) => `${id}: ${nodes[0].html.slice(0, 120)}`)
    })
  })

interface Found {
  readonly violations: ReadonlyArray<{ readonly id: string; readonly nodes: ReadonlyArray<{ readonly html: string }> }>
}

describe("the page", () => {
  test(
    "is right in light and dark, on a phone and a wide screen: axe finds nothing, nothing scrolls sideways",
    function*(browser) {
      const { url } = yield* program()
      for (const colorScheme of ["light", "dark"] as const) {
        for (const viewport of [{ width: 1280, height: 900 }, { width: 375, height: 700 }]) {
          const { complaints, page } = yield* open(browser, url, { colorScheme, viewport })
          yield* shows(page, "#connection", "Live")
          yield* shows(page, ".pool h2", "crawl")
          yield* shows(page, ".pool h2", "parse")
          yield* shows(page, ".shares .bar", "%")
          assert.deepStrictEqual(yield* violations(page), [], `${colorScheme} at ${viewport.width}`)
          assert.deepStrictEqual(complaints, [])
          assert.isAtMost(yield* act(() => page.evaluate(() => document.documentElement.scrollWidth)), viewport.width)
          yield* act(() => page.context().close())
        }
      }
    }
  )

  test("takes the token out of the address, and keeps it over a reload", function*(browser) {
    const { url } = yield* program("plain")
    const { complaints, page } = yield* open(browser, url)
    yield* shows(page, "#connection", "Live")
    assert.notInclude(page.url(), "token")
    yield* act(() => page.reload())
    yield* shows(page, "#connection", "Live")
    assert.deepStrictEqual(yield* act(() => page.context().cookies()), [])
    assert.deepStrictEqual(complaints, [])
  })

  test("says what is wrong with a link that lacks its token, or has a wrong one", function*(browser) {
    const { url } = yield* program("plain")
    const bare = yield* open(browser, url.split("#")[0])
    yield* shows(bare.page, "#connection", "needs the whole link")
    const wrong = yield* open(browser, `${url.split("#")[0]}#token=wrong`)
    yield* shows(wrong.page, "#connection", "The token is wrong")
  })

  test("shows the moment under the pointer in every chart", function*(browser) {
    const { url } = yield* program()
    const { page } = yield* open(browser, url)
    yield* act(() => page.waitForTimeout(5000))
    const pool = page.locator(".pool", { has: page.getByRole("heading", { name: "crawl", exact: true }) })
    const charts = pool.locator(".u-over")
    const box = yield* act(() => charts.nth(0).boundingBox())
    yield* act(() => page.mouse.move((box?.x ?? 0) + (box?.width ?? 0) * 0.95, (box?.y ?? 0) + 40))
    const lines = yield* act(() =>
      pool.locator(".u-cursor-x").evaluateAll((marks) => marks.map((mark) => (mark as HTMLElement).style.transform))
    )
    assert.strictEqual(new Set(lines).size, 1, lines.join(" "))
    yield* shows(page, ".pool .moment", /^\d\d:\d\d:\d\d: /)
  })

  test("pauses, resumes, sets bounds, and aborts only whoever types the name", function*(browser) {
    const { url } = yield* program()
    const { complaints, page } = yield* open(browser, url)
    const pool = page.locator(".pool", { has: page.getByRole("heading", { name: "crawl", exact: true }) })
    yield* act(() => pool.getByRole("button", { name: "Pause" }).click())
    yield* act(() => pool.locator(".sentence").filter({ hasText: "paused" }).waitFor())
    yield* act(() => pool.getByRole("button", { name: "Resume" }).click())
    yield* act(() => pool.getByRole("button", { name: "Pause" }).waitFor())
    yield* act(() => pool.getByRole("button", { name: "Bounds" }).click())
    yield* act(() => page.getByLabel("Tasks at once at most").fill("7"))
    yield* act(() => page.getByRole("button", { name: "Apply" }).click())
    yield* act(() => pool.locator(".tiles").filter({ hasText: "1 to 7 allowed" }).waitFor())
    yield* act(() => pool.getByRole("button", { name: "Bounds" }).click())
    yield* act(() => page.getByLabel("Tasks that may always run").fill("9"))
    yield* act(() => page.getByRole("button", { name: "Apply" }).click())
    yield* act(() => pool.getByRole("alert").filter({ hasText: "minConcurrency" }).waitFor())
    yield* act(() => pool.getByRole("button", { name: "Abort" }).click())
    const confirm = page.locator("#abort-go")
    assert.isTrue(yield* act(() => confirm.isDisabled()))
    yield* act(() => page.getByLabel("Name of the pool").fill("craw"))
    assert.isTrue(yield* act(() => confirm.isDisabled()))
    yield* act(() => page.keyboard.type("..."))
    yield* act(() => page.getByLabel("Name of the pool").fill("crawl"))
    yield* act(() => page.keyboard.press("Tab"))
    yield* act(() => confirm.click())
    yield* act(() => pool.locator(".phase").filter({ hasText: "idle" }).waitFor({ timeout: 15_000 }))
    assert.deepStrictEqual(complaints.filter((text) => !text.includes("422")), [])
  })

  test("comes back by itself with its history, and says plainly that the program has ended", function*(browser) {
    const running = yield* program()
    const { page } = yield* open(browser, running.url)
    yield* act(() => page.waitForTimeout(5000))
    yield* act(() =>
      page.evaluate(() => {
        Object.defineProperty(document, "hidden", { value: true, configurable: true })
        document.dispatchEvent(new Event("visibilitychange"))
      })
    )
    yield* shows(page, "#connection", "Resting")
    yield* act(() =>
      page.evaluate(() => {
        Object.defineProperty(document, "hidden", { value: false, configurable: true })
        document.dispatchEvent(new Event("visibilitychange"))
      })
    )
    yield* shows(page, "#connection", "Live")
    yield* act(() => page.locator(".chart summary").first().click())
    yield* act(() => page.locator(".chart .table tr").nth(4).waitFor({ timeout: 10_000 }))
    yield* running.end
    yield* shows(page, "#connection", /program (has|may have) ended/)
  })

  test(
    "cannot be steered nor read by another page, be it of another port of this machine, nor be framed",
    function*(browser) {
      const { url } = yield* program("plain")
      const [base, token] = url.split("/#token=")
      const strange = yield* Effect.acquireRelease(
        Effect.callback<http.Server>((resume) => {
          const server = http.createServer((_, response) => {
            response.setHeader("content-type", "text/html")
            response.end(`<iframe src="${base}/"></iframe>`)
          }).listen(0, "127.0.0.1", () => resume(Effect.succeed(server)))
        }),
        (server) => Effect.sync(() => server.close())
      )
      const { port } = strange.address() as AddressInfo // it listens at a port
      const { page } = yield* open(browser, `http://127.0.0.1:${port}/`)
      const attempts = yield* act(() =>
        page.evaluate(async ([base, token]) => {
          const order = JSON.stringify({ action: "pause", pool: "crawl" })
          const tries = [
            fetch(`${base}/api/orders`, { method: "POST", body: order, mode: "no-cors" }),
            fetch(`${base}/api/orders`, {
              method: "POST",
              body: order,
              headers: { authorization: `Bearer ${token}`, "content-type": "application/json" }
            }),
            fetch(`${base}/api/events`, { headers: { authorization: `Bearer ${token}` } }),
            fetch(`${base}/`)
          ]
          return (await Promise.allSettled(tries)).map((each) =>
            each.status === "fulfilled" ? `${each.value.type} ${each.value.status}` : "failed"
          )
        }, [base, token])
      )
      assert.deepStrictEqual(attempts.slice(1), ["failed", "failed", "failed"])
      assert.include(["failed", "opaque 0"], attempts[0])
      const frame = page.frames()[1]
      assert.isFalse(yield* act(() => frame.locator("h1").isVisible().catch(() => false)))
      const own = yield* open(browser, url)
      yield* shows(own.page, ".pool h2", "crawl")
      assert.notInclude((yield* act(() => own.page.locator(".pool .phase").allInnerTexts())).join(), "paused")
    }
  )
})
