/**
 * Checks the signals in real control groups of version 2, in a guest machine: `npm run test:guest`. The guest is emulated
 * by QEMU, runs Debian's kernel, and is nothing but an archive of files in memory: this Node.js, busybox and the checks of
 * `guest/suite.ts` in one file. QEMU and the kernel come from apt; where they cannot be had, the checks are skipped.
 */
import { spawn, spawnSync } from "node:child_process"
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import { build } from "vite"
import { root } from "./workspace.ts"

const tools = ["qemu-system-x86", "cpio"]
const timeLimit = 15 * 60_000

class Unavailable extends Error {}

const run = (command: string, args: ReadonlyArray<string>, cwd: string): string => {
  const { error, status, stderr, stdout } = spawnSync(command, args, { cwd, encoding: "utf8" })
  if (error !== undefined) throw new Unavailable(error.message)
  if (status !== 0) throw new Unavailable(`${command} ${args[0]} failed: ${stderr.trim().split("\n").at(-1)}`)
  return stdout
}

const has = (command: string): boolean => spawnSync("sh", ["-c", `command -v ${command}`]).status === 0

const provideTools = (): void => {
  if (os.platform() !== "linux" || os.arch() !== "x64") throw new Unavailable("it needs Linux on x64")
  if (!has("apt-get")) throw new Unavailable("there is no apt-get")
  if (has("qemu-system-x86_64") && has("cpio")) return
  if (process.getuid?.() !== 0) throw new Unavailable(`only root can install ${tools.join(" and ")}`)
  run("apt-get", ["update", "--quiet"], root)
  run("apt-get", ["install", "--yes", "--quiet", "--no-install-recommends", ...tools], root)
}

/** Debian's packages, unpacked and not installed. */
const unpack = (directory: string): void => {
  const kernel = /^ *Depends: (linux-image-\S+)/m.exec(run("apt-cache", ["depends", "linux-image-cloud-amd64"], root))
  if (kernel === null) throw new Unavailable("apt knows no linux-image-cloud-amd64")
  run("apt-get", ["download", kernel[1], "busybox-static"], directory)
  for (const name of fs.readdirSync(directory)) {
    if (name.endsWith(".deb")) run("dpkg", ["-x", name, "debian"], directory)
  }
}

const find = (directory: string, name: RegExp): string => {
  const found = fs.readdirSync(directory, { recursive: true, encoding: "utf8" }).find((file) => name.test(file))
  if (found === undefined) throw new Unavailable(`no ${name.source} among the packages`)
  return path.join(directory, found)
}

const copyInto = (image: string, file: string, target: string, mode = 0o755): void => {
  const destination = path.join(image, target)
  fs.mkdirSync(path.dirname(destination), { recursive: true })
  fs.copyFileSync(file, destination)
  fs.chmodSync(destination, mode)
}

const makeImage = async (directory: string): Promise<void> => {
  const image = path.join(directory, "image")
  for (const folder of ["proc", "sys", "dev", "tmp"]) fs.mkdirSync(path.join(image, folder), { recursive: true })
  copyInto(image, find(path.join(directory, "debian"), /bin\/busybox$/), "bin/busybox")
  copyInto(image, path.join(root, "scripts/guest/init.sh"), "init")
  copyInto(image, process.execPath, "bin/node")
  for (const [library] of run("ldd", [process.execPath], root).matchAll(/\/\S+\.so\S*/g)) {
    copyInto(image, library, library)
  }
  await build({
    root,
    configFile: false,
    logLevel: "error",
    ssr: { noExternal: true },
    build: {
      ssr: "scripts/guest/suite.ts",
      outDir: image,
      emptyOutDir: false,
      rolldownOptions: { output: { entryFileNames: "suite.mjs", codeSplitting: false } }
    }
  })
  run("sh", ["-c", "cd image && find . | cpio --quiet -o -H newc > ../image.cpio"], directory)
}

/** What the guest says, as it says it. */
const boot = (directory: string): Promise<string> =>
  new Promise((resolve) => {
    const kernel = find(path.join(directory, "debian"), /boot\/vmlinuz/)
    const guest = spawn("qemu-system-x86_64", [
      ...["-accel", "tcg", "-cpu", "max", "-smp", "1", "-m", "2048"],
      ...["-nographic", "-no-reboot", "-nic", "none"],
      ...["-kernel", kernel, "-initrd", path.join(directory, "image.cpio")],
      ...["-append", "console=ttyS0 quiet loglevel=3 panic=-1 rdinit=/init"]
    ], { stdio: ["ignore", "pipe", "inherit"] })
    const timer = setTimeout(() => guest.kill("SIGKILL"), timeLimit)
    let output = ""
    guest.stdout.setEncoding("utf8").on("data", (text: string) => {
      output += text
      process.stdout.write(text)
    })
    guest.once("close", () => {
      clearTimeout(timer)
      resolve(output)
    })
  })

const directory = fs.mkdtempSync(path.join(os.tmpdir(), "autoscaled-pool-guest-"))
try {
  provideTools()
  unpack(directory)
  await makeImage(directory)
  const output = await boot(directory)
  const failed = [...output.matchAll(/^not ok .*$/gm)].length
  const passed = [...output.matchAll(/^ok .*$/gm)].length
  const isWhole = /^end 0/m.test(output)
  console.log(`${passed} passed, ${failed} failed${isWhole ? "" : "; the guest did not come to its end"}`)
  if (failed > 0 || !isWhole) process.exitCode = 1
} catch (error) {
  if (!(error instanceof Unavailable)) throw error
  console.log(`skipped: a guest cannot be had here: ${error.message}`)
} finally {
  fs.rmSync(directory, { recursive: true, force: true })
}
