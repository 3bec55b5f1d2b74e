export * as NodeCpu from "./NodeCpu.ts"
export * as NodeEventLoop from "./NodeEventLoop.ts"
export * as NodeMemory from "./NodeMemory.ts"
export * as NodeSystemStatus from "./NodeSystemStatus.ts"
