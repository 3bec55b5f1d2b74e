/**
 * Follows the signals of a board: those that are sampled in common rounds, the others as they report by themselves.
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as outageLog from "./outageLog.ts"
import { type Report, reportsOf } from "./report.ts"
import { type Sampler, samplerOf } from "./sampler.ts"
import * as sampleRounds from "./sampleRounds.ts"
import type { SignalWindow } from "./signalWindow.ts"
import type { VerdictBoard } from "./verdictBoard.ts"

interface Followed {
  readonly window: SignalWindow
  readonly sampler: Sampler | undefined
  readonly hear: (report: Report) => void
  /** Logs a signal that has been silent for too long. */
  readonly missReports: () => void
}

/** Follows them until the scope closes. `onNews` is told whenever a verdict may have changed. */
export const follow = Effect.fnUntraced(function*(
  board: VerdictBoard<unknown>,
  options: { readonly now: () => number; readonly restEvery: number; readonly onNews: () => void }
): Effect.fn.Return<sampleRounds.SampleRounds, never, Scope.Scope> {
  const { now, onNews, restEvery } = options
  const followed = yield* Effect.forEach(board.windows, (window) => followedOf(board, window))
  const rounds = yield* sampleRounds.make({
    samples: followed.flatMap(({ hear, sampler }) => sampler === undefined ? [] : [{ hear, sampler }]),
    restEvery,
    onRound: () => {
      for (const { missReports, window } of followed) if (window.isSilent(now())) missReports()
      onNews()
    }
  })
  if (followed.length > 0) rounds.begin()
  for (const { hear, sampler, window } of followed) {
    if (sampler === undefined) yield* hearAlone(window, hear, onNews)
  }
  return rounds
})

const followedOf = (board: VerdictBoard<unknown>, window: SignalWindow): Effect.Effect<Followed> =>
  Effect.map(outageLog.make(window.signal.name), (log) => ({
    window,
    sampler: samplerOf(window.signal),
    hear: (report) => {
      log.hear(report)
      board.record(window, report)
    },
    missReports: () => log.missReports()
  }))

const hearAlone = ({ signal }: SignalWindow, hear: (report: Report) => void, onNews: () => void) => {
  const hearOne = (report: Report) =>
    Effect.sync(() => {
      hear(report)
      onNews()
    })
  return Effect.forkScoped(Stream.runForEach(reportsOf(signal), hearOne), { startImmediately: true })
}
