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

  get distinctFiles(): number {
    return this.digests.size
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
