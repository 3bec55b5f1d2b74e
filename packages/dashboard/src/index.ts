export * as PoolDashboard from "./PoolDashboard.ts"
