import { defineConfig } from "vitest/config"

/** The views where a user sees them: a real terminal, a real browser. */
export default defineConfig({
  test: {
    include: ["tests/views/**/*.views.ts"],
    testTimeout: 60_000,
    hookTimeout: 360_000, // what is not there is installed
    fileParallelism: false
  }
})
