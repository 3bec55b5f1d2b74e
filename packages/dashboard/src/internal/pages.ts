/**
 * The files of the page, read once and served from memory: a fixed table, so that no path of a request reaches the disk.
 */
import { createHash } from "node:crypto"
import { readFileSync } from "node:fs"

export interface File {
  readonly body: Uint8Array
  readonly type: string
  readonly etag: string
}

const types: Readonly<Record<string, string>> = {
  html: "text/html; charset=utf-8",
  css: "text/css; charset=utf-8",
  js: "text/javascript; charset=utf-8",
  svg: "image/svg+xml"
}

const own = ["index.html", "style.css", "favicon.svg", "app.js", "stream.js", "pool.js", "charts.js", "format.js"]

/** Files by the path of the request that they answer. */
export const read = (): ReadonlyMap<string, File> => {
  const files = new Map(own.map((name) => [`/${name}`, load(new URL(`../../page/${name}`, import.meta.url))]))
  files.set("/uplot.js", load(new URL(import.meta.resolve("uplot/dist/uPlot.esm.js"))))
  files.set("/uplot.css", load(new URL(import.meta.resolve("uplot/dist/uPlot.min.css"))))
  files.set("/", files.get("/index.html") as File) // it is one of them
  return files
}

const load = (url: URL): File => {
  const body = readFileSync(url)
  return {
    body,
    type: types[url.pathname.split(".").at(-1) ?? ""],
    etag: `"${createHash("sha256").update(body).digest("base64url").slice(0, 22)}"`
  }
}
