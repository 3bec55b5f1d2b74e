/**
 * Whether a file holds an address or a path that means something on one machine only.
 */
import type { SourceFile } from "../workspace.ts"

// A path that begins at the root and leads into somebody's folders: a home or a scratch directory.
const machinePath = /(?<![\w.@~}-])\/(?:home|Users|root|tmp|work)\/[\w.-]+/

// The address of a package registry or of a mirror of one; the site that people read is none.
const registryAddress =
  /\/\/(?!www\.npmjs\.com)(?:[\w-]+\.)*(?:registry|npm|proxy|artifactory|nexus|mirror)[\w-]*\.[\w-]+|^\s*(?:@[\w-]+:)?registry\s*=\s*http/

const lockfileAddress = /[a-z]+:\/\/|\btarball\b|\bregistry\b/

const isLockfile = (path: string): boolean => /(?:^|\/)(?:pnpm-lock\.yaml|package-lock\.json|yarn\.lock)$/.test(path)

/** The lines of a file that hold what they must not. */
export const addressProblems = (file: SourceFile): Array<string> => {
  const patterns = isLockfile(file.path) ?
    [{ pattern: lockfileAddress, what: "a lockfile must hold no address" }] :
    [
      { pattern: machinePath, what: "a path of one machine" },
      { pattern: registryAddress, what: "the address of a registry" }
    ]
  return file.text.split("\n").flatMap((line, index) =>
    patterns.filter(({ pattern }) => pattern.test(line)).map(({ what }) =>
      `${file.path}:${index + 1}: ${what}: ${line.trim().slice(0, 160)}`
    )
  )
}
