// The patch between two statuses, applied as the server applies it, gives the second.
import assert from "node:assert/strict";
import { test } from "node:test";
import { applyStrategicMergePatch, type PodStatus, schemaOfKind } from "#api";
import { statusPatch } from "./status-patch.ts";

const waiting = { reason: "ContainersNotReady", message: "containers with unready status: [a]" };
const at = { lastTransitionTime: "2026-01-01T00:00:00Z" };

for (const [name, before, after] of [
  [
    "a condition loses its reason",
    { conditions: [{ type: "Ready", status: "False", ...at, ...waiting }] },
    { conditions: [{ type: "Ready", status: "True", ...at }] },
  ],
  ["a field goes", { reason: "Evicted", phase: "Failed" }, { phase: "Failed" }],
  [
    "an address changes",
    { podIP: "10.0.0.1", podIPs: [{ ip: "10.0.0.1" }] },
    { podIP: "10.0.0.2", podIPs: [{ ip: "10.0.0.2" }] },
  ],
] as const) {
  test(`statusPatch(): ${name}`, () => {
    const pod = { apiVersion: "v1", kind: "Pod", metadata: { name: "p", uid: "u" }, status: before };
    const patch = statusPatch("u", before as PodStatus, after as PodStatus);
    assert.ok(patch);
    const schema = schemaOfKind({ group: "", version: "v1", kind: "Pod" });
    assert.ok(schema?.kind === "object");
    const merged = applyStrategicMergePatch(pod as never, patch, schema) as { status: PodStatus };
    assert.deepEqual(merged.status, after);
    assert.equal(statusPatch("u", merged.status, after as PodStatus), undefined);
  });
}

test("statusPatch() leaves a condition alone that somebody else has set in the meantime", () => {
  const ready = { type: "Ready", status: "True", ...at };
  const before = { phase: "Running", conditions: [ready, { type: "DisruptionTarget", status: "True", ...at }] };
  assert.equal(statusPatch("u", before, { phase: "Running", conditions: [ready] }), undefined);
});
