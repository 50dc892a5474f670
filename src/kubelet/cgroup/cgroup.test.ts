// Control groups: what is written for a pod, in both versions of the kernel's files, and that nothing stays.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Pod } from "#api";
import { type Files, VirtualClock } from "#base";
import { aPod } from "../testing/model.ts";
import { CgroupTrees, findMounts, settingsOf } from "./kernel.ts";
import { burstableShares, podLimits, widerOf } from "./limits.ts";
import { openPodCgroups, removeNodeCgroups } from "./pod-cgroups.ts";

const version1 = `tmpfs /sys/fs/cgroup tmpfs rw 0 0
cgroup /sys/fs/cgroup/cpu,cpuacct cgroup rw,relatime,cpu,cpuacct 0 0
cgroup /sys/fs/cgroup/memory cgroup rw,relatime,memory 0 0
cgroup /sys/fs/cgroup/pids cgroup rw,relatime,pids 0 0
cgroup /sys/fs/cgroup/systemd cgroup rw,relatime,name=systemd 0 0
cgroup2 /sys/fs/cgroup/unified cgroup2 rw,relatime 0 0
`;
const version2 = "cgroup2 /sys/fs/cgroup cgroup2 rw,nosuid 0 0\n";

test("findMounts() tells the versions apart: a unified tree beside the others is not yet version 2", () => {
  const first = findMounts(version1);
  assert.equal(first?.version, 1);
  assert.deepEqual(first?.of, {
    cpu: "/sys/fs/cgroup/cpu,cpuacct",
    memory: "/sys/fs/cgroup/memory",
    pids: "/sys/fs/cgroup/pids",
  });
  assert.equal(first?.all.length, 5);
  assert.equal(findMounts(version2)?.version, 2);
  assert.equal(findMounts("tmpfs /sys/fs/cgroup tmpfs rw 0 0\n"), undefined);
});

test("settingsOf() says the same in the words of both versions", () => {
  const written = (version: 1 | 2, limits: Parameters<typeof settingsOf>[0]) =>
    settingsOf(limits, version).map(({ file, text }) => `${file}=${text}`);
  const bounded = { cpuShares: 1024, cpuQuota: 50_000, memoryLimitBytes: 1 << 20, pids: 100 };
  assert.deepEqual(written(1, bounded), [
    "cpu.shares=1024",
    "cpu.cfs_period_us=100000",
    "cpu.cfs_quota_us=50000",
    "memory.limit_in_bytes=1048576",
    "pids.max=100",
  ]);
  assert.deepEqual(written(2, bounded), ["cpu.weight=39", "cpu.max=50000 100000", "memory.max=1048576", "pids.max=100"]);
  const free = { cpuQuota: -1, memoryLimitBytes: -1, pids: -1 };
  assert.deepEqual(written(1, free), [
    "cpu.cfs_period_us=100000",
    "cpu.cfs_quota_us=-1",
    "memory.limit_in_bytes=-1",
    "pids.max=max",
  ]);
  assert.deepEqual(written(2, free), ["cpu.max=max 100000", "memory.max=max", "pids.max=max"]);
  assert.deepEqual(written(2, { cpuShares: 2 }), ["cpu.weight=1"]);
  assert.deepEqual(written(2, { cpuShares: 262_144 }), ["cpu.weight=10000"]);
});

type Resources = { requests?: Record<string, string>; limits?: Record<string, string> };
const podOf = (uid: string, ...resources: Resources[]): Pod =>
  aPod({ containers: resources.map((one, index) => ({ name: `c${index}`, image: "i", resources: one })) }, { uid });

test("podLimits() sums what every container has, and sets no limit where one has none", () => {
  const half = { cpu: "500m", memory: "64Mi" };
  const rows: readonly (readonly [string, Pod, ReturnType<typeof podLimits>])[] = [
    ["best effort", podOf("a", {}), { cpuShares: 2, cpuQuota: -1, memoryLimitBytes: -1 }],
    [
      "guaranteed",
      podOf("a", { requests: half, limits: half }, { requests: half, limits: half }),
      { cpuShares: 1024, cpuQuota: 100_000, memoryLimitBytes: 128 << 20 },
    ],
    [
      "burstable, one without a limit of memory",
      podOf("a", { requests: half, limits: half }, { requests: { cpu: "250m" }, limits: { cpu: "1" } }),
      { cpuShares: 768, cpuQuota: 150_000, memoryLimitBytes: -1 },
    ],
    [
      "as a whole",
      aPod({ resources: { limits: half, requests: half } }, { uid: "a" }),
      { cpuShares: 512, cpuQuota: 50_000, memoryLimitBytes: 64 << 20 },
    ],
  ];
  for (const [name, pod, expected] of rows) assert.deepEqual(podLimits(pod, undefined), expected, name);
  assert.equal(podLimits(podOf("a", {}), 77).pids, 77);
});

test("widerOf() allows what the containers have and what they will have", () => {
  const narrow = { cpuShares: 2, cpuQuota: 10_000, memoryLimitBytes: 1000 };
  assert.deepEqual(widerOf(narrow, { cpuShares: 4, cpuQuota: 20_000, memoryLimitBytes: 500 }), {
    cpuShares: 4,
    cpuQuota: 20_000,
    memoryLimitBytes: 1000,
  });
  assert.deepEqual(widerOf(narrow, { cpuShares: 4, cpuQuota: -1, memoryLimitBytes: 500 }).cpuQuota, -1);
  assert.deepEqual(widerOf({}, narrow).memoryLimitBytes, -1);
});

test("burstableShares() leaves guaranteed pods out", () => {
  const request = { requests: { cpu: "1" } };
  const same = { cpu: "1", memory: "1Mi" };
  assert.equal(burstableShares([podOf("a", request), podOf("b", request), podOf("c", { requests: same, limits: same })]), 2048);
  assert.equal(burstableShares([]), 2);
});

/** A kernel with these trees: directories, what was written last, and the processes of each group. */
function kernelWith(mounts: string, refuse?: string) {
  const written = new Map<string, string>();
  const directories = new Set<string>(findMounts(mounts)?.all);
  const inside = new Map<string, number[]>();
  const fail = (code: string): never => {
    throw Object.assign(new Error(code), { code });
  };
  const files = {
    read: async (path: string) => {
      if (path === "/proc/self/mounts") return Buffer.from(mounts);
      if (path.endsWith("/cgroup.controllers")) return Buffer.from("cpuset cpu io memory pids rdma\n");
      return Buffer.from((inside.get(path.replace(/\/cgroup\.procs$/, "")) ?? []).join("\n"));
    },
    write: async (path: string, text: string) => {
      if (!directories.has(path.slice(0, path.lastIndexOf("/")))) fail("ENOENT");
      written.set(path, text);
    },
    makeDirectory: async (path: string) => {
      if (refuse !== undefined && path.startsWith(refuse)) fail("EROFS");
      for (let at = path; !directories.has(at); at = at.slice(0, at.lastIndexOf("/"))) directories.add(at);
    },
    list: async (path: string) => {
      if (!directories.has(path)) fail("ENOENT");
      const names = [...directories].filter((other) => other.startsWith(`${path}/`)).map((other) => other.slice(path.length + 1));
      return [...names.filter((name) => !name.includes("/")), "cgroup.procs"];
    },
    stat: async (path: string) =>
      directories.has(path) ? { kind: "directory" } : path.endsWith("/cgroup.procs") ? { kind: "file" } : undefined,
    removeDirectory: async (path: string) => {
      if (!directories.has(path)) fail("ENOENT");
      if ([...directories].some((other) => other.startsWith(`${path}/`)) || (inside.get(path) ?? []).length > 0) fail("EBUSY");
      directories.delete(path);
    },
  } as unknown as Files;
  const killed: number[] = [];
  const processes = {
    signal: (pid: number) => {
      killed.push(pid);
      for (const [path, pids] of inside)
        inside.set(
          path,
          pids.filter((other) => other !== pid),
        );
      return true;
    },
  };
  const clock = new VirtualClock();
  const warnings: string[] = [];
  const log = { warn: (message: string) => warnings.push(message) } as unknown as import("#base").Log;
  const groups = (mount: string): string[] =>
    [...directories].filter((path) => path.startsWith(`${mount}/tiphys`)).map((path) => path.slice(mount.length));
  return { deps: { files, processes, clock, log }, written, directories, inside, killed, warnings, groups, clock };
}

const options = { root: "/tiphys-1", allocatable: { cpu: "2", memoryBytes: 1 << 30 } };
const memory = "/sys/fs/cgroup/memory";

test("a pod's group comes below its quality's, has its limits, and goes with the pod from every tree", async () => {
  const kernel = kernelWith(version1);
  const groups = await openPodCgroups(options, kernel.deps);
  assert.ok(groups !== undefined);
  assert.equal(kernel.written.get(`${memory}/tiphys-1/kubepods/memory.limit_in_bytes`), String(1 << 30));
  const pod = podOf("u1", { requests: { cpu: "1" }, limits: { memory: "1Mi" } });
  const path = "/tiphys-1/kubepods/burstable/podu1";
  assert.equal(groups.parentOf(pod), path);
  await groups.make(pod);
  assert.equal(kernel.written.get(`${memory}${path}/memory.limit_in_bytes`), String(1 << 20));
  const shares = "/sys/fs/cgroup/cpu,cpuacct/tiphys-1/kubepods/burstable/cpu.shares";
  assert.equal(kernel.written.get(shares), "1024");
  // the runtime makes its groups in trees that we set nothing in
  kernel.directories.add("/sys/fs/cgroup/systemd/tiphys-1");
  await groups.remove("u1");
  assert.deepEqual(
    kernel.groups(memory).filter((name) => name.includes("podu1")),
    [],
  );
  assert.equal(kernel.written.get(shares), "2");
  await removeNodeCgroups(options.root, kernel.deps);
  assert.deepEqual(
    [...kernel.directories].filter((name) => name.includes("tiphys")),
    [],
  );
});

test("a group that still has a container is removed with it, and its processes are killed", async () => {
  const kernel = kernelWith(version2);
  const trees = new CgroupTrees(findMounts(version2) ?? assert.fail(), kernel.deps);
  await trees.set("/tiphys-1/kubepods/podx/ctr", {});
  assert.equal(kernel.written.get("/sys/fs/cgroup/tiphys-1/kubepods/cgroup.subtree_control"), "+cpuset +cpu +memory +pids");
  kernel.inside.set("/sys/fs/cgroup/tiphys-1/kubepods/podx/ctr", [42]);
  let isRemoved = false;
  const removing = trees.remove("/tiphys-1/kubepods/podx").then(() => (isRemoved = true));
  while (!isRemoved) await kernel.clock.advance(20);
  await removing;
  assert.deepEqual(kernel.killed, [42]);
  assert.deepEqual(kernel.groups("/sys/fs/cgroup"), ["/tiphys-1", "/tiphys-1/kubepods"]);
});

test("groups of pods that are gone are removed when a kubelet starts, others stay", async () => {
  const kernel = kernelWith(version1);
  const before = await openPodCgroups(options, kernel.deps);
  for (const uid of ["old", "kept"]) await before?.make(podOf(uid, {}));
  const groups = await openPodCgroups(options, kernel.deps);
  await groups?.keepOnly([podOf("kept", {})]);
  assert.deepEqual(
    kernel.groups(memory).filter((name) => name.includes("/pod")),
    ["/tiphys-1/kubepods/besteffort/podkept"],
  );
});

test("where groups cannot be made the log says so and nothing of the attempt stays", async () => {
  for (const kernel of [kernelWith(version1, `${memory}/`), kernelWith("tmpfs / tmpfs rw 0 0\n")]) {
    assert.equal(await openPodCgroups(options, kernel.deps), undefined);
    assert.match(kernel.warnings.join(), /cannot make control groups/);
    assert.deepEqual(
      [...kernel.directories].filter((name) => name.includes("tiphys")),
      [],
    );
  }
});
