/**
 * What a pool costs that has nothing to do: each in a process of its own.
 */
import { runChild } from "./child.ts"
import { idlers, type IdleTime } from "./idleProgram.ts"
import type { Question } from "./question.ts"

export const idle: Question = {
  key: "idle",
  title: "What does a pool cost that has nothing to do?",
  ask: async (effort) => {
    const { seconds, settle } = effort === "Quick" ? { seconds: 1, settle: 0.5 } : { seconds: 30, settle: 5 }
    const measured = await Promise.all(
      Object.keys(idlers).map(async (name) => {
        const { cpuSeconds } = await runChild<IdleTime>("./idleProgram.ts", [name, String(settle), String(seconds)])
        return { name, share: cpuSeconds / seconds }
      })
    )
    return {
      notes: [`CPU time of the whole process over ${seconds} s, after ${settle} s to settle.`],
      tables: [{
        title: "Idle",
        columns: ["", "CPU seconds per minute", "% of a core"],
        rows: measured.map(({ name, share }) => [name, (share * 60).toFixed(3), (share * 100).toFixed(3)])
      }],
      goals: measured.filter(({ name }) => idlers[name].isOurs).map(({ name, share }) => ({
        what: `idle, ${name}`,
        bound: "<=",
        limit: 0.1,
        unit: "% of a core",
        value: share * 100
      }))
    }
  }
}
