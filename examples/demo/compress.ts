/**
 * One task: gzips and hashes one file, a piece at a time.
 */
import { Data, Effect, FileSystem, Option } from "effect"
import { createHash } from "node:crypto"
import { gzip } from "node:zlib"
import type { SourceFile } from "./files.ts"
import type { Tally } from "./tally.ts"

export class CompressionFailed extends Data.TaggedError("CompressionFailed")<{ readonly cause: Error }> {
  override get message(): string {
    return this.cause.message
  }
}

/** A gzip file may be a row of gzip members; one a piece keeps a task's memory small however large its file is. */
const pieceSize = 1024 * 1024

/** A file that cannot be read, perhaps because it has vanished since it was found, is skipped. */
export const compress = (file: SourceFile, tally: Tally) =>
  Effect.catchTag(compressOpen(file, tally), "PlatformError", () => Effect.sync(() => void tally.skipped++))

/** The file is open for as long as the scope is, which ends with the task, interrupted or not. */
const compressOpen = Effect.fnUntraced(function*({ bytes, path }: SourceFile, tally: Tally) {
  const file = yield* openFile(path, tally)
  const hash = createHash("sha256")
  let left = bytes
  while (left > 0) {
    const piece = yield* file.readAlloc(Math.min(left, pieceSize))
    if (Option.isNone(piece)) break
    hash.update(piece.value)
    const compressed = yield* gzipped(piece.value)
    tally.compress(piece.value.length, compressed.length)
    left -= piece.value.length
  }
  tally.finish(hash.digest("base64"))
}, Effect.scoped)

const openFile = (path: string, tally: Tally) =>
  Effect.andThen(
    Effect.acquireRelease(Effect.sync(() => tally.openFiles++), () => Effect.sync(() => tally.openFiles--)),
    FileSystem.FileSystem.use((fileSystem) => fileSystem.open(path))
  )

const gzipped = (piece: Uint8Array): Effect.Effect<Uint8Array, CompressionFailed> =>
  Effect.callback((resume) => {
    gzip(piece, (cause, compressed) => {
      resume(cause === null ? Effect.succeed(compressed) : Effect.fail(new CompressionFailed({ cause })))
    })
  })
