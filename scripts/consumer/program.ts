/**
 * What somebody might write who has installed the packages; `npm run check` type-checks and runs it in a project of its
 * own.
 */
import { AutoscaledPool } from "@autoscaled-pool/core"
import { NodeSystemStatus } from "@autoscaled-pool/platform-node"
import { Effect } from "effect"
import { deepStrictEqual } from "node:assert"

const squares = AutoscaledPool.forEach([1, 2, 3], (n) => Effect.succeed(n * n))

deepStrictEqual(await Effect.runPromise(Effect.provide(squares, NodeSystemStatus.layer())), [1, 4, 9])
