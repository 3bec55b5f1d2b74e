/**
 * The files of a folder, found as they are asked for.
 */
import { Data, Stream } from "effect"
import { lstat, readdir } from "node:fs/promises"
import { join } from "node:path"

export interface SourceFile {
  readonly path: string
  readonly bytes: number
}

export class UnreadableFolder extends Data.TaggedError("UnreadableFolder")<{ readonly cause: unknown }> {
  override get message(): string {
    return this.cause instanceof Error ? this.cause.message : String(this.cause)
  }
}

/**
 * Every file below a folder, one folder read at a time. Symbolic links are left out, so that no file comes twice and no
 * loop of links is entered.
 */
export const filesBelow = (folder: string): Stream.Stream<SourceFile, UnreadableFolder> =>
  Stream.fromAsyncIterable(walk(folder), (cause) => new UnreadableFolder({ cause })).pipe(Stream.flattenIterable)

async function* walk(root: string): AsyncGenerator<ReadonlyArray<SourceFile>> {
  const folders = [root]
  for (let folder = folders.pop(); folder !== undefined; folder = folders.pop()) {
    const files: Array<string> = []
    for (const entry of await readdir(folder, { withFileTypes: true })) {
      const path = join(folder, entry.name)
      if (entry.isDirectory()) folders.push(path)
      else if (entry.isFile()) files.push(path)
    }
    yield await Promise.all(files.map(async (path) => ({ path, bytes: (await lstat(path)).size })))
  }
}
