import { defineConfig } from "vitest/config"

/** The tests that need servers: `npm run test:stores`. */
export default defineConfig({
  test: {
    include: ["tests/stores/**/*.stores.ts"],
    testTimeout: 120_000, // on a busy machine a worker may take long to start
    hookTimeout: 360_000, // servers that are not there are installed
    maxWorkers: 2 // they wait most of the time, and what they wait for has its limits
  }
})
