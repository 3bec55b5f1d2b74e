/**
 * The process in which one package is imported while time and heap are read: `importProgram.ts NAME`.
 */
export interface Imported {
  readonly millis: number
  readonly mebibytes: number
}

const collect = (): number => {
  globalThis.gc?.()
  return process.memoryUsage().heapUsed
}

const before = collect()
const start = performance.now()
await import(process.argv[2])
const millis = performance.now() - start
const imported: Imported = { millis, mebibytes: (collect() - before) / 2 ** 20 }
console.log(JSON.stringify(imported))
