/**
 * What the tasks have done so far.
 */
export class Tally {
  private readonly digests = new Set<string>()
  files = 0
  bytesIn = 0
  bytesOut = 0
  skipped = 0
  openFiles = 0
  foundFiles = 0
  foundBytes = 0
  isFolderCounted = false

  get distinctFiles(): number {
    return this.digests.size
  }

  find(bytes: number): void {
    this.foundFiles++
    this.foundBytes += bytes
  }

  compress(bytesIn: number, bytesOut: number): void {
    this.bytesIn += bytesIn
    this.bytesOut += bytesOut
  }

  finish(digest: string): void {
    this.files++
    this.digests.add(digest)
  }
}
