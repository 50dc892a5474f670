// Cells of tables that are computed, and ages.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { humanDuration } from "#api";
import { builtInColumns } from "./built-in.ts";
import { computedTable } from "./computed.ts";

const now = Date.parse("2026-01-01T00:10:00Z");
const at = (pod: object): readonly unknown[] =>
  builtInColumns["/Pod"]?.cells({ metadata: { name: "p", creationTimestamp: "2026-01-01T00:00:00Z" }, ...pod } as never, now) ??
  [];
const spec = { containers: [{ name: "a" }, { name: "b" }] };

describe("pod table", () => {
  it("counts ready containers and restarts", () => {
    const statuses = [
      {
        name: "a",
        ready: true,
        restartCount: 2,
        state: { running: {} },
        lastState: { terminated: { finishedAt: "2026-01-01T00:08:00Z" } },
      },
      { name: "b", ready: false, restartCount: 0, state: { waiting: { reason: "CrashLoopBackOff" } } },
    ];
    assert.deepEqual(at({ spec, status: { phase: "Running", containerStatuses: statuses } }).slice(0, 5), [
      "p",
      "1/2",
      "CrashLoopBackOff",
      "2 (2m ago)",
      "10m",
    ]);
  });

  it("says how far initialization is", () => {
    const pod = {
      spec: { ...spec, initContainers: [{ name: "i" }, { name: "j" }] },
      status: {
        phase: "Pending",
        initContainerStatuses: [
          { name: "i", state: { terminated: { exitCode: 0 } } },
          { name: "j", state: { running: {} } },
        ],
      },
    };
    assert.equal(at(pod)[2], "Init:1/2");
  });

  it("says Terminating while a pod is deleted", () => {
    assert.equal(
      at({ metadata: { name: "p", deletionTimestamp: "2026-01-01T00:09:00Z" }, spec, status: { phase: "Running" } })[2],
      "Terminating",
    );
  });

  const cellsOf = (kind: string, object: object): readonly unknown[] =>
    builtInColumns[kind]?.cells({ metadata: {}, ...object }, now) ?? [];

  it("an event's source is who reported it, in both groups", () => {
    const reportingInstance = "i";
    assert.equal(cellsOf("/Event", { reportingComponent: "a.b/c", reportingInstance })[5], "a.b/c, i");
    assert.equal(cellsOf("events.k8s.io/Event", { reportingController: "a.b/c", reportingInstance })[5], "a.b/c, i");
  });

  it("a port without a number shows its name, a claim without a volume's size none", () => {
    assert.equal(cellsOf("discovery.k8s.io/EndpointSlice", { ports: [{ port: 80 }, { name: "b" }] })[2], "80,b");
    assert.equal(cellsOf("/PersistentVolumeClaim", { spec: { volumeName: "v" } })[3], "0");
  });

  it("fills as many cells as there are columns in every table", () => {
    for (const [kind, table] of Object.entries(builtInColumns)) {
      const cells = table.cells({ apiVersion: "x/v1", metadata: { name: "n" } }, now);
      assert.equal(cells.length, table.columns.length, kind);
    }
  });
});

describe("humanDuration()", () => {
  for (const [seconds, text] of [
    [0, "0s"],
    [119, "119s"],
    [120, "2m"],
    [190, "3m10s"],
    [600, "10m"],
    [10_800, "3h"],
    [11_100, "3h5m"],
    [86_400, "24h"],
    [172_800, "2d"],
    [176_400, "2d1h"],
    [864_000, "10d"],
    [63_072_000, "2y"],
  ] as const) {
    it(`prints ${seconds} seconds as ${text}`, () => assert.equal(humanDuration(seconds * 1_000), text));
  }
});

describe("tables of objects that are not stored", () => {
  const wanted = { metaVersion: "v1", include: "Metadata", nowMs: now } as const;
  const table = (object: object): { readonly rows: readonly object[] } =>
    computedTable(object, wanted) as { readonly rows: readonly object[] };

  it("show the scale of a workload", () => {
    const metadata = { name: "d", creationTimestamp: "2026-01-01T00:00:00Z", resourceVersion: "7" };
    assert.deepEqual(table({ kind: "Scale", metadata, spec: {}, status: { replicas: 2 } }).rows, [
      { cells: ["d", 0, 2, "10m"], object: { kind: "PartialObjectMetadata", apiVersion: "meta.k8s.io/v1", metadata } },
    ]);
  });

  it("show the health of components, one by one and together", () => {
    const component = (name: string, status: string): object => ({
      metadata: { name },
      conditions: [{ type: "Healthy", status, message: "m" }],
    });
    const items = [component("a", "True"), component("b", "False"), component("c", "Unknown")];
    const cells = table({ kind: "ComponentStatusList", metadata: {}, items }).rows.map(
      (row) => (row as { cells: unknown }).cells,
    );
    assert.deepEqual(cells, [
      ["a", "Healthy", "m", ""],
      ["b", "Unhealthy", "m", ""],
      ["c", "Unknown", "m", ""],
    ]);
  });

  it("are not there for others", () => assert.equal(computedTable({ kind: "TokenReview" }, wanted), undefined));
});
