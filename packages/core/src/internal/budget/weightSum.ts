/**
 * A sum of weights that come and go, of any scale: what rounding takes away is kept beside it (Neumaier's summation), so
 * that a large weight that leaves again does not swallow the small ones.
 */
export class WeightSum {
  private count = 0
  private sum = 0
  private lost = 0

  get value(): number {
    return this.sum + this.lost
  }

  add(weight: number): void {
    this.count++
    this.accumulate(weight)
  }

  remove(weight: number): void {
    if (--this.count > 0) return this.accumulate(-weight)
    this.sum = 0
    this.lost = 0
  }

  private accumulate(weight: number): void {
    const sum = this.sum + weight
    this.lost += Math.abs(this.sum) >= Math.abs(weight) ? this.sum - sum + weight : weight - sum + this.sum
    this.sum = sum
  }
}
