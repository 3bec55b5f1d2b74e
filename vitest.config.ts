import { defineConfig } from "vitest/config"

export default defineConfig({
  test: {
    include: ["tests/**/*.test.ts"],
    testTimeout: 60_000,
    // On a machine of two cores Vitest would run one file at a time, though many tests only wait.
    maxWorkers: 2
  }
})
