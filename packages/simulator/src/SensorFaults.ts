/**
 * What may be wrong with the sensors of a simulated machine, to see how a policy bears it.
 *
 * @since 0.1.0
 */
import type * as Duration from "effect/Duration"

/**
 * The signals of a simulated machine.
 *
 * @category models
 * @since 0.1.0
 */
export type SignalName = "cpu" | "memory" | "eventLoop" | "client"

/**
 * The faults of the sensors.
 *
 * **Details**
 *
 * - `noise`: by signal, how far a report may be off, as a share of it: 0.15 is up to 15 % in either direction. Memory is
 *   off by up to 0.5 % where nothing is said, the others are exact.
 * - `gain`: by signal, what every report is multiplied by: 0.75 reads a quarter low. Default 1.
 * - `delay`: reports say what was true this long ago, default 0.
 * - `missing`: signals that are not there at all, default none.
 * - `withoutOwn`: reports do not tell this process's part from the others', default false.
 *
 * `noise`, `gain` and `delay` apply to `"cpu"`, `"memory"` and `"eventLoop"`; refusals are counted by the program itself.
 *
 * @category models
 * @since 0.1.0
 */
export interface SensorFaults {
  readonly noise?: Readonly<Partial<Record<SignalName, number>>> | undefined
  readonly gain?: Readonly<Partial<Record<SignalName, number>>> | undefined
  readonly delay?: Duration.Input | undefined
  readonly missing?: ReadonlyArray<SignalName> | undefined
  readonly withoutOwn?: boolean | undefined
}
