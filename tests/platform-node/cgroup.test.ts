import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as cgroup from "../../packages/platform-node/src/internal/cgroup/cgroup.ts"
import * as pseudoFiles from "../../packages/platform-node/src/internal/host/pseudoFiles.ts"
import * as warnings from "../../packages/platform-node/src/internal/host/warnings.ts"
import * as Machine from "./machine.ts"

const directories = (hierarchy: cgroup.Hierarchy | undefined) => hierarchy?.groups.map((group) => group.directory)

const hierarchyOf = (controller: string, memberships: string, mountinfo: string) =>
  cgroup.hierarchyOf(
    controller,
    cgroup.parseMemberships(memberships) ?? [],
    cgroup.parseMounts(mountinfo) ?? []
  )

describe("cgroup", () => {
  describe("memberships", () => {
    it("reads both versions, several controllers and paths with colons", () => {
      assert.deepStrictEqual(
        cgroup.parseMemberships("5:cpu,cpuacct:/a\n1:name=systemd:/b:c\n0::/user.slice/x.scope\n"),
        [
          { version: 1, controllers: ["cpu", "cpuacct"], path: "/a" },
          { version: 1, controllers: ["name=systemd"], path: "/b:c" },
          { version: 2, controllers: [], path: "/user.slice/x.scope" }
        ]
      )
    })

    it("refuses a text without any group", () => {
      for (const text of ["", "\n", "garbage", "0::relative", "x:cpu:/a"]) {
        assert.isUndefined(cgroup.parseMemberships(text))
      }
    })
  })

  describe("mounts", () => {
    it("finds control-group file systems among all others", () => {
      const text = `22 27 0:21 / /proc rw,relatime - proc proc rw
33 31 0:30 /docker/abc /sys/fs/cgroup/cpu,cpuacct ro,nosuid master:11 - cgroup cgroup rw,cpu,cpuacct
41 31 0:38 / /sys/fs/cgroup/unified rw,relatime shared:1 master:2 - cgroup2 none rw,nsdelegate
28 27 0:25 broken
`
      assert.deepStrictEqual(cgroup.parseMounts(text), [
        {
          version: 1,
          controllers: ["rw", "cpu", "cpuacct"],
          root: "/docker/abc",
          mountPoint: "/sys/fs/cgroup/cpu,cpuacct"
        },
        { version: 2, controllers: ["rw", "nsdelegate"], root: "/", mountPoint: "/sys/fs/cgroup/unified" }
      ])
    })

    it("unescapes spaces and backslashes", () => {
      const [mount] = cgroup.parseMounts("1 2 0:3 /a\\040b /mnt/c\\134d rw - cgroup2 none rw\n") ?? []
      assert.strictEqual(mount.root, "/a b")
      assert.strictEqual(mount.mountPoint, "/mnt/c\\d")
    })
  })

  describe("groups", () => {
    const mount = (root: string): cgroup.Mount => ({ version: 2, controllers: [], root, mountPoint: "/cg" })
    const under = (root: string, path: string) => cgroup.groupsUnder(mount(root), path).map((group) => group.directory)

    it("walks up from the own group to the mount point", () => {
      assert.deepStrictEqual(cgroup.groupsUnder(mount("/"), "/a/b"), [
        { name: "/a/b", directory: "/cg/a/b" },
        { name: "/a", directory: "/cg/a" },
        { name: "/", directory: "/cg" }
      ])
    })

    it("sees a private namespace as a root", () => {
      assert.deepStrictEqual(under("/", "/"), ["/cg"])
    })

    it("follows a mount of a part of the hierarchy", () => {
      assert.deepStrictEqual(under("/docker/abc", "/docker/abc"), ["/cg"])
      assert.deepStrictEqual(under("/docker/abc", "/docker/abc/x/y"), ["/cg/x/y", "/cg/x", "/cg"])
    })

    it("names the groups of a part by their path in the hierarchy", () => {
      const names = cgroup.groupsUnder(mount("/docker/abc"), "/docker/abc/x").map((group) => group.name)
      assert.deepStrictEqual(names, ["/docker/abc/x", "/docker/abc"])
    })

    it("takes no group that merely begins with the same letters", () => {
      assert.deepStrictEqual(under("/docker/abc", "/docker/abcdef"), [])
    })

    it("follows a mount and a process outside the namespace's root", () => {
      assert.deepStrictEqual(under("/..", "/../other/x"), ["/cg/other/x", "/cg/other", "/cg"])
      assert.deepStrictEqual(under("/../..", "/../.."), ["/cg"])
    })

    it("knows only the top of a mount above the namespace's root", () => {
      assert.deepStrictEqual(under("/../..", "/"), ["/cg"])
      assert.deepStrictEqual(under("/../..", "/x"), ["/cg"])
      assert.deepStrictEqual(under("/../..", "/../x"), ["/cg"])
    })

    it("does not see a group outside the mount", () => {
      assert.deepStrictEqual(under("/", "/../other"), [])
      assert.deepStrictEqual(under("/docker/abc", "/"), [])
      assert.deepStrictEqual(under("/docker/abc", "/docker"), [])
    })
  })

  describe("hierarchies", () => {
    it("finds a controller of version 1 in its own mount", () => {
      const hierarchy = hierarchyOf(
        "memory",
        "4:memory:/jobs/7\n2:cpuacct:/\n0::/\n",
        Machine.mountLine(1, "/sys/fs/cgroup/memory", { controllers: "memory" }) +
          Machine.mountLine(1, "/sys/fs/cgroup/cpuacct", { controllers: "cpuacct" }) +
          Machine.mountLine(2, "/sys/fs/cgroup/unified")
      )
      assert.strictEqual(hierarchy?.version, 1)
      assert.deepStrictEqual(directories(hierarchy), [
        "/sys/fs/cgroup/memory/jobs/7",
        "/sys/fs/cgroup/memory/jobs",
        "/sys/fs/cgroup/memory"
      ])
    })

    it("looks for a controller that version 1 does not hold in version 2 of a hybrid machine", () => {
      const hierarchy = hierarchyOf(
        "memory",
        "2:cpuacct:/\n0::/app\n",
        Machine.mountLine(1, "/sys/fs/cgroup/cpuacct", { controllers: "cpuacct" }) +
          Machine.mountLine(2, "/sys/fs/cgroup/unified")
      )
      assert.strictEqual(hierarchy?.version, 2)
      assert.deepStrictEqual(directories(hierarchy), ["/sys/fs/cgroup/unified/app", "/sys/fs/cgroup/unified"])
    })

    it("prefers the mount that shows most ancestors", () => {
      const hierarchy = hierarchyOf(
        "memory",
        "0::/a/b\n",
        Machine.mountLine(2, "/bind", { root: "/a/b" }) + Machine.mountLine(2, "/sys/fs/cgroup")
      )
      assert.deepStrictEqual(directories(hierarchy), ["/sys/fs/cgroup/a/b", "/sys/fs/cgroup/a", "/sys/fs/cgroup"])
    })

    it("is unknown where nothing is mounted", () => {
      assert.isUndefined(hierarchyOf("memory", "0::/a\n", "22 27 0:21 / /proc rw - proc proc rw\n"))
    })
  })

  describe("reader", () => {
    const readerOf = Effect.fnUntraced(function*(files: Machine.Files) {
      const machine = yield* Machine.make(files)
      const once = warnings.make()
      const read = cgroup.makeReader(pseudoFiles.make(machine.root, once), once)
      return { machine, read, warnings: once }
    })

    it.effect("follows a process that is moved", () =>
      Effect.gen(function*() {
        const { machine, read } = yield* readerOf({
          "/proc/self/cgroup": "0::/a\n",
          "/proc/self/mountinfo": Machine.mountLine(2, "/cg")
        })
        assert.deepStrictEqual(directories(read().hierarchyOf("memory")), ["/cg/a", "/cg"])
        machine.write({ "/proc/self/cgroup": "0::/b\n" })
        assert.deepStrictEqual(directories(read().hierarchyOf("memory")), ["/cg/b", "/cg"])
      }))

    const groups = Object.fromEntries(
      ["/cg/a/b", "/cg/b", "/cg/cpu", "/m", "/c"].map((at) => [`${at}/cgroup.procs`, "100\n"])
    )

    /** What is warned of where a process is in these groups, and these are mounted. */
    const warningsOf = (memberships: string, mounts: string) =>
      Machine.recordWarnings(Effect.fnUntraced(function*(shown) {
        const { read, warnings } = yield* readerOf({
          ...groups,
          "/proc/self/cgroup": memberships,
          "/proc/self/mountinfo": mounts
        })
        for (let i = 0; i < 3; i++) read().hierarchyOf("memory")
        yield* warnings.flush
        return shown
      }))

    const other = "22 27 0:21 / /proc rw - proc proc rw\n"

    it.effect("a group that no mount shows is warned of once, with its name and the remedy", () =>
      Effect.gen(function*() {
        for (
          const [memberships, mounts, group] of [
            ["0::/kubepods/pod7\n", other, "/kubepods/pod7 (memory, cpu, pids)"],
            ["0::/\n", other, "/ (memory, cpu, pids)"],
            ["0::/../other\n", Machine.mountLine(2, "/cg"), "/../other (memory, cpu, pids)"],
            ["0::/app\n", Machine.mountLine(2, "/cg", { root: "/else" }), "/app (memory, cpu, pids)"],
            [
              "4:memory:/jobs/7\n1:cpu:/\n0::/\n",
              Machine.mountLine(1, "/cg/cpu", { controllers: "cpu" }) + Machine.mountLine(2, "/cg/unified"),
              "/jobs/7 (memory)"
            ],
            ["4:memory:/a\n2:cpu,cpuacct:/b\n", other, "/a (memory) and /b (cpu)"],
            // Another file system is mounted over the one that would show it.
            ["0::/covered\n", Machine.mountLine(2, "/cg"), "/covered (memory, cpu, pids)"],
            ["4:memory:/jobs\n", Machine.mountLine(1, "/cg/memory", { controllers: "memory" }), "/jobs (memory)"]
          ]
        ) {
          const warnings = yield* warningsOf(memberships, mounts)
          assert.strictEqual(warnings.length, 1, memberships)
          assert.include(warnings[0], `control group of this process, ${group}:`)
          assert.include(warnings[0], "memory.limit")
        }
      }))

    it.effect("a mount whose root is only .. shows an ancestor: the group itself is warned of", () =>
      Effect.gen(function*() {
        for (const [root, group] of [["/..", "/"], ["/../..", "/x"], ["/../..", "/"]]) {
          const mounts = Machine.mountLine(2, "/cg", { root })
          const warnings = yield* warningsOf(`0::${group}\n`, mounts)
          assert.strictEqual(warnings.length, 1, `${root} ${group}`)
          assert.include(warnings[0], `${group} (memory, cpu, pids)`)
          assert.deepStrictEqual(directories(hierarchyOf("memory", `0::${group}\n`, mounts)), ["/cg"])
        }
      }))

    it.effect("a process in no group, or in one that is shown, is not warned of", () =>
      Effect.gen(function*() {
        for (
          const [memberships, mounts] of [
            ["", ""],
            ["\n", other],
            ["", other + Machine.mountLine(2, "/cg")],
            ["0::/a/b\n", Machine.mountLine(2, "/cg")],
            ["0::/../b\n", Machine.mountLine(2, "/cg", { root: "/.." })],
            [
              "4:memory:/\n1:cpu:/\n0::/\n",
              Machine.mountLine(1, "/m", { controllers: "memory" }) +
              Machine.mountLine(1, "/c", { controllers: "cpu" })
            ],
            ["1:name=systemd:/user.slice\n0::/a\n", Machine.mountLine(2, "/cg")]
          ]
        ) assert.deepStrictEqual(yield* warningsOf(memberships, mounts), [], memberships)
      }))

    it.effect("prefers the mount that shows the own group to one that shows an ancestor or is covered by another", () =>
      Effect.gen(function*() {
        const { read } = yield* readerOf({
          "/proc/self/cgroup": "0::/a\n",
          "/proc/self/mountinfo": Machine.mountLine(2, "/above", { root: "/.." }) + Machine.mountLine(2, "/cg") +
            Machine.mountLine(2, "/cg", { root: "/a" }),
          "/cg/cgroup.procs": "100\n",
          "/above/cgroup.procs": "100\n"
        })
        assert.deepStrictEqual(directories(read().hierarchyOf("memory")), ["/cg"])
        const mounts = Machine.mountLine(2, "/above", { root: "/.." }) + Machine.mountLine(2, "/cg")
        assert.deepStrictEqual(directories(hierarchyOf("memory", "0::/\n", mounts)), ["/cg"])
      }))
  })
})
