/**
 * Whether an interruption would reach a fiber now, or only when it leaves the region that it is in.
 *
 * Every fiber knows this of itself, though its interface does not tell; one that did not would count as interruptible.
 */
export const isInterruptible = (fiber: object): boolean => !("interruptible" in fiber) || fiber.interruptible !== false
