// Limits of local storage: what is too much, in upstream's words, and who is told.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Pod } from "#api";
import { silentLog, VirtualClock } from "#base";
import { aPod } from "../testing/model.ts";
import { memoryVolumeBytes } from "../volume/memory-volume.ts";
import { type Evictable, startEvictor } from "./evictor.ts";
import { isBounded, overuse, type StorageUsage } from "./local-storage.ts";

const limits = (bytes: string) => ({ limits: { "ephemeral-storage": bytes } });
const scratch = { name: "scratch", emptyDir: { sizeLimit: "1Mi" } };
const mebibyte = 2 ** 20;
const usage = (volumes: Record<string, number>, containers: Record<string, number>): StorageUsage => ({
  volumes: new Map(Object.entries(volumes)),
  containers: new Map(Object.entries(containers)),
});
const container = (name: string, limit?: string) => ({
  name,
  image: "i",
  ...(limit === undefined ? {} : { resources: limits(limit) }),
});

test("overuse() names the first limit that is exceeded: of an emptyDir, of the pod, of a container", () => {
  const rows: readonly (readonly [string, Pod, StorageUsage, string | undefined])[] = [
    ["exactly the limit", aPod({ volumes: [scratch] }), usage({ scratch: mebibyte }, {}), undefined],
    [
      "an emptyDir",
      aPod({ volumes: [scratch] }),
      usage({ scratch: mebibyte + 1 }, {}),
      'Usage of EmptyDir volume "scratch" exceeds the limit "1Mi". ',
    ],
    ["no limit at all", aPod({ volumes: [{ name: "a", emptyDir: {} }] }), usage({ a: 2 ** 40 }, { app: 2 ** 40 }), undefined],
    [
      "volumes and containers together",
      aPod({ containers: [container("app", "2Mi")], volumes: [{ name: "a", emptyDir: {} }] }),
      usage({ a: mebibyte }, { app: mebibyte + 1 }),
      "Pod ephemeral local storage usage exceeds the total limit of containers 2Mi. ",
    ],
    [
      "an emptyDir in memory is no disk",
      aPod({ containers: [container("app", "2Mi")], volumes: [{ name: "a", emptyDir: { medium: "Memory" } }] }),
      usage({ a: 9 * mebibyte }, { app: mebibyte }),
      undefined,
    ],
    [
      "one container of two",
      aPod({ containers: [container("app", "2Mi"), container("side", "1Mi")] }),
      usage({}, { app: 0, side: mebibyte + 1 }),
      'Container side exceeded its local ephemeral storage limit "1Mi". ',
    ],
  ];
  for (const [name, pod, used, expected] of rows) assert.equal(overuse(pod, used), expected, name);
});

test("isBounded() leaves out pods without limits, static pods and those that the system cannot do without", () => {
  assert.equal(isBounded(aPod({ volumes: [scratch] })), true);
  assert.equal(isBounded(aPod({ containers: [container("app", "1Mi")] })), true);
  assert.equal(isBounded(aPod({ volumes: [{ name: "a", emptyDir: {} }] })), false);
  assert.equal(isBounded(aPod({ volumes: [scratch], priority: 2_000_000_000 })), false);
  assert.equal(isBounded(aPod({ volumes: [scratch] }, { annotations: { "kubernetes.io/config.source": "file" } })), false);
});

test("the evictor looks every ten seconds and evicts the pod that has written too much, by what du and the runtime say", async () => {
  const clock = new VirtualClock();
  const evicted: string[] = [];
  const worker = (name: string, pod: Pod): Evictable => ({
    pod,
    status: { phase: "Running" },
    containers: [{ id: `${name}-1`, name: "app", state: "running" } as unknown as Evictable["containers"][number]],
    evict: (message) => evicted.push(`${name}: ${message}`),
  });
  const kibibytes: Record<string, number> = { "/volumes/scratch": 1000, "/logs/app": 8 };
  const measured: string[] = [];
  await using _evictor = startEvictor({
    clock,
    log: silentLog,
    processes: {
      run: async (_program, args) => {
        const path = args.at(-1) ?? "";
        measured.push(path);
        return { code: 0, stdout: `${kibibytes[path]}\t${path}\n`, stderr: "" };
      },
    },
    runtime: { writableLayers: async () => new Map([["layered-1", 4 * mebibyte]]) },
    workers: () => [
      worker("free", aPod({ volumes: [{ name: "scratch", emptyDir: {} }] })),
      worker("sized", aPod({ volumes: [scratch] })),
      worker("layered", aPod({ containers: [container("app", "4Mi")] })),
    ],
    volumePaths: () => new Map([["scratch", "/volumes/scratch"]]),
    logDirectory: () => "/logs",
  });
  await clock.advance(9999);
  assert.deepEqual(measured, []);
  await clock.advance(1);
  assert.deepEqual(measured, ["/volumes/scratch", "/logs/app"]);
  assert.deepEqual(evicted.splice(0), ["layered: Pod ephemeral local storage usage exceeds the total limit of containers 4Mi. "]);
  kibibytes["/volumes/scratch"] = 1025;
  await clock.advance(10_000);
  assert.equal(evicted[0], 'sized: Usage of EmptyDir volume "scratch" exceeds the limit "1Mi". ');
});

test("memoryVolumeBytes() takes the least of node, pod and volume", () => {
  const inMemory = (sizeLimit?: string) => ({ name: "m", emptyDir: { medium: "Memory", ...(sizeLimit && { sizeLimit }) } });
  const bounded = aPod({ containers: [{ name: "a", image: "i", resources: { limits: { memory: "64Mi" } } }] });
  assert.equal(memoryVolumeBytes(aPod(), inMemory(), "1Gi"), 2 ** 30);
  assert.equal(memoryVolumeBytes(bounded, inMemory(), "1Gi"), 64 * mebibyte);
  assert.equal(memoryVolumeBytes(bounded, inMemory("1Mi"), "1Gi"), mebibyte);
  assert.equal(memoryVolumeBytes(aPod(), inMemory("2Gi"), "1Gi"), 2 ** 30);
  assert.equal(memoryVolumeBytes(aPod(), inMemory(), undefined), 0);
});
