/**
 * A wall clock for programs that are started with it, which can be set while they run. Monotonic time goes on.
 */
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import { findFaketime } from "./install.ts"

export interface WallClock {
  /** What a program needs in its environment to have the clock. */
  readonly env: Readonly<Record<string, string>>
  /** Sets it to so many seconds ahead of the true time, or behind. */
  readonly set: (seconds: number) => void
  readonly dispose: () => void
}

export const makeClock = (): WallClock => {
  const found = findFaketime()
  if ("missing" in found) throw new Error(found.missing)
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "autoscaled-pool-clock-"))
  fs.chmodSync(folder, 0o755) // a server may run as another user
  const file = path.join(folder, "offset")
  const set = (seconds: number): void => {
    // In one step: a program reads the file each time that it asks for the time.
    fs.writeFileSync(`${file}.new`, `${seconds < 0 ? "" : "+"}${seconds}\n`)
    fs.renameSync(`${file}.new`, file)
  }
  set(0)
  return {
    env: {
      LD_PRELOAD: path.join(found.directory, "libfaketime.so.1"),
      FAKETIME_TIMESTAMP_FILE: file,
      FAKETIME_NO_CACHE: "1",
      FAKETIME_DONT_FAKE_MONOTONIC: "1"
    },
    set,
    dispose: () => fs.rmSync(folder, { recursive: true, force: true })
  }
}
