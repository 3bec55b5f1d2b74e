import { defineConfig } from "vitest/config"

/** The views where a user sees them: a real terminal, a real browser. */
export default defineConfig({
  test: {
    include: ["tests/views/**/*.test.ts"],
    testTimeout: 60_000,
    fileParallelism: false
  }
})
