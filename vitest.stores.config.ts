import { defineConfig } from "vitest/config"

/** The tests that need servers: `npm run test:stores`. */
export default defineConfig({
  test: {
    include: ["tests/stores/**/*.stores.ts"],
    testTimeout: 60_000,
    hookTimeout: 360_000, // servers that are not there are installed
    fileParallelism: false
  }
})
