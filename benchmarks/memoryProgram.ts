/**
 * The process in which one contender runs its tasks while the kernel records how much memory it had at most.
 */
import { close, contenders } from "./contenders.ts"
import { immediate, sync } from "./tasks.ts"

export interface Growth {
  readonly mebibytes: number
}

const concurrency = 100

const growthOf = async (contenderName: string, taskName: string, tasks: number): Promise<Growth> => {
  const contender = contenders.find(({ name }) => name === contenderName)
  const task = [sync, immediate].find(({ name }) => name === taskName)
  if (contender === undefined || task === undefined) {
    throw new Error(`There is no "${contenderName}" or no "${taskName}"`)
  }
  const idle = process.memoryUsage.rss()
  await contender.run(task, tasks, concurrency)
  const peak = process.resourceUsage().maxRSS * 1024
  await close()
  return { mebibytes: (peak - idle) / 2 ** 20 }
}

const [contender, task, tasks] = process.argv.slice(2)
console.log(JSON.stringify(await growthOf(contender, task, Number(tasks))))
