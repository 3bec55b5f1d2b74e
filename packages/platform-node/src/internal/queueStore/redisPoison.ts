/**
 * What a queue in Redis does with a record that nobody can read: without this, the script that claims items fails at it
 * again and again, and nothing behind it is ever claimed.
 */
import * as Effect from "effect/Effect"
import * as Redis from "effect/persistence/Redis"

export const isUnreadable = (error: Redis.RedisError): boolean => /queue record id/i.test(String(error.cause))

const setAside = Redis.script(
  (...args: [keyQueue: string, keyFailed: string]) => args,
  {
    lua: `
local moved = 0
for _, payload in ipairs(redis.call("LRANGE", KEYS[1], 0, 999)) do
  if not string.match(payload, '^{"id":"[^"\\\\]*"') then
    redis.call("LREM", KEYS[1], 1, payload)
    redis.call("RPUSH", KEYS[2], payload)
    moved = moved + 1
  end
end
return moved
`,
    numberOfKeys: 2
  }
).withReturnType<number>()

/** Moves them to the dead letters. `params` are those of the script that claims: its first key is the queue. */
export const setAsideUnreadable = (
  redis: Redis.Redis["Service"],
  params: ReadonlyArray<unknown>
): Effect.Effect<void, Redis.RedisError> => {
  const queue = String(params[0])
  return Effect.flatMap(
    redis.eval(setAside)(queue, `${queue}:failed`),
    (moved) =>
      Effect.logWarning(
        `${moved} records in ${queue} cannot be read and were moved to the dead letters, ${queue}:failed.`
      )
  )
}
