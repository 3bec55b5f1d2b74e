/**
 * The signals that a simulated process has of its machine: the paces, targets and ratios of the built-in ones.
 */
import * as ClientErrors from "@autoscaled-pool/core/ClientErrors"
import * as LoadSignal from "@autoscaled-pool/core/LoadSignal"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type { SensorFaults, SignalName } from "../SensorFaults.ts"
import type { Plant } from "./plant.ts"
import { SeededRandom, seedOf } from "./random.ts"

const lateMillis = 50
const usualNoise: Partial<Record<SignalName, number>> = { memory: 0.005 }
const sensorSeed = 0x5e45

type Reading = LoadSignal.Sample

export const of = (plant: Plant, faults: SensorFaults): Effect.Effect<ReadonlyArray<LoadSignal.LoadSignal>> =>
  Effect.map(Effect.orDie(ClientErrors.signal()), (client) => {
    const signal = sensorsOf(plant, faults)
    return [
      signal("cpu", { overloadedRatio: 0.4, target: 0.95, every: 500, read: cpuReader(plant) }),
      signal("memory", { overloadedRatio: 0.2, target: 0.9, every: 250, read: memoryReader(plant) }),
      signal("eventLoop", { overloadedRatio: 0.6, target: 0.93, every: 500, read: loopReader(plant) }),
      client
    ].filter(({ name }) => !faults.missing?.some((missing) => missing === name))
  })

const sensorsOf = (plant: Plant, faults: SensorFaults) => {
  const random = new SeededRandom(seedOf(plant.seed, sensorSeed, plant.kills.length))
  const delay = Duration.toMillis(faults.delay ?? 0)
  return (
    name: SignalName,
    { every, overloadedRatio, read, target }: {
      readonly overloadedRatio: number
      readonly target: number
      readonly every: number
      readonly read: () => Reading
    }
  ): LoadSignal.LoadSignal => {
    const noise = faults.noise?.[name] ?? usualNoise[name] ?? 0
    const gain = faults.gain?.[name] ?? 1
    const distort = ({ isOverloaded, load, own = load }: Reading): Reading => {
      const factor = gain * (noise === 0 ? 1 : random.between(1 - noise, 1 + noise))
      return { load: factor * load, own: faults.withoutOwn === true ? undefined : factor * own, isOverloaded }
    }
    const sample = Effect.sync(delayed(Math.round(delay / every), () => distort(read())))
    return LoadSignal.makeUnsafe({ name, overloadedRatio, target, every, sample })
  }
}

/** Gives back what was read so many readings ago, the first reading until there is one that old. */
const delayed = (readings: number, read: () => Reading): () => Reading => {
  const kept: Array<Reading> = []
  return () => {
    const reading = read()
    kept.push(reading)
    return (kept.length > readings ? kept.shift() : kept[0]) ?? reading
  }
}

const cpuReader = (plant: Plant): () => Reading => {
  let before = plant.processors.usage()
  return averaged(plant, () => {
    const usage = plant.processors.usage()
    const used = { load: usage.busy - before.busy, own: usage.own - before.own }
    before = usage
    return used
  })
}

const loopReader = (plant: Plant): () => Reading => {
  let before = plant.jsThread.busy()
  const utilization = averaged(plant, () => {
    const busy = plant.jsThread.busy()
    const used = { load: busy - before, own: busy - before }
    before = busy
    return used
  })
  return () => ({ ...utilization(), isOverloaded: plant.jsThread.lateness() > lateMillis })
}

const memoryReader = (plant: Plant) => (): Reading => {
  const { own, used } = plant.memoryUse()
  return { load: used, own }
}

/** Turns the use since the last reading into a share of the time since then. */
const averaged = (plant: Plant, takeUse: () => { readonly load: number; readonly own: number }): () => Reading => {
  let readAt = plant.time.now
  return () => {
    const elapsed = plant.time.now - readAt
    const { load, own } = takeUse()
    readAt = plant.time.now
    return elapsed > 0 ? { load: load / elapsed, own: own / elapsed } : { load: 0, own: 0 }
  }
}
