/**
 * How many items an iterable has, where it can tell without being iterated.
 */
export const sizeOf = (items: Iterable<unknown>): number | undefined => {
  if (Array.isArray(items)) return items.length
  return items instanceof Set || items instanceof Map ? items.size : undefined
}
