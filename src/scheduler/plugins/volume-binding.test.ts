// Claims and volumes as the scheduler treats them.
import assert from "node:assert/strict";
import { test } from "node:test";
import { type PersistentVolumeClaim, persistentVolumeClaims, persistentVolumes, storageClasses } from "#api";
import { type Harness, startHarness } from "../testing/harness.ts";

const usesData = { volumes: [{ name: "data", persistentVolumeClaim: { claimName: "data" } }] };

async function withClaim(
  claim: Pick<PersistentVolumeClaim, "spec" | "status">,
  volumeBindingMode?: string,
  provisioner = "example.com/disk",
): Promise<Harness> {
  const h = await startHarness();
  h.node("n1");
  h.node("n2", { labels: { zone: "b" } });
  if (volumeBindingMode !== undefined) h.api.put(storageClasses, { metadata: { name: "sc" }, provisioner, volumeBindingMode });
  h.api.put(persistentVolumeClaims, { metadata: { name: "data", namespace: "default" }, ...claim });
  await h.settle();
  h.pod({ name: "p", spec: usesData });
  await h.settle();
  return h;
}

const inZoneB = {
  nodeAffinity: { required: { nodeSelectorTerms: [{ matchExpressions: [{ key: "zone", operator: "In", values: ["b"] }] }] } },
};

test("an unbound claim that does not wait for a pod keeps the pod waiting", async () => {
  await using h = await withClaim({ spec: { storageClassName: "sc" } }, "Immediate");
  assert.match(h.events[0] ?? "", /0\/2 nodes are available: pod has unbound immediate PersistentVolumeClaims\. /);
});

test("a pod follows its bound volume to where the volume can be reached", async () => {
  await using h = await startHarness();
  h.node("n1");
  h.node("n2", { labels: { zone: "b" } });
  h.api.put(persistentVolumes, { metadata: { name: "v" }, spec: inZoneB });
  h.api.put(persistentVolumeClaims, {
    metadata: { name: "data", namespace: "default" },
    spec: { volumeName: "v" },
    status: { phase: "Bound" },
  });
  await h.settle();
  h.pod({ name: "p", spec: usesData });
  await h.settle();
  assert.deepEqual(h.bound, ["default/p -> n2"]);
});

test("a claim that waits for its first consumer is bound before the pod is", async () => {
  await using h = await withClaim({ spec: { storageClassName: "sc" } }, "WaitForFirstConsumer");
  const claim = h.api.peek(persistentVolumeClaims, { namespace: "default", name: "data" });
  const chosen = claim?.metadata.annotations?.["volume.kubernetes.io/selected-node"];
  assert.match(chosen ?? "", /^n[12]$/);
  assert.deepEqual(h.bound, []);
  h.api.put(persistentVolumeClaims, {
    ...claim,
    metadata: { ...claim?.metadata, name: "data", namespace: "default" },
    spec: { storageClassName: "sc", volumeName: "v" },
    status: { phase: "Bound" },
  });
  await h.settle();
  assert.deepEqual(h.bound, [`default/p -> ${chosen}`]);
});

test("a claim that is never bound gives the pod's place back after ten minutes", async () => {
  await using h = await withClaim({ spec: { storageClassName: "sc" } }, "WaitForFirstConsumer");
  await h.clock.advance(600_000);
  await h.settle();
  assert.deepEqual(h.bound, []);
  assert.equal(
    h.events[0],
    'Warning FailedScheduling binding rejected: running PreBind plugin "VolumeBinding": binding volumes: context deadline exceeded',
  );
});

test("without a provisioner a free volume must be there", async () => {
  await using h = await withClaim({ spec: { storageClassName: "sc" } }, "WaitForFirstConsumer", "kubernetes.io/no-provisioner");
  assert.match(h.events[0] ?? "", /0\/2 nodes are available: 2 node\(s\) didn't find available persistent volumes to bind\. /);
  h.api.put(persistentVolumes, {
    metadata: { name: "v" },
    spec: { storageClassName: "sc", ...inZoneB },
    status: { phase: "Available" },
  });
  await h.settle();
  const claim = h.api.peek(persistentVolumeClaims, { namespace: "default", name: "data" });
  assert.equal(claim?.metadata.annotations?.["volume.kubernetes.io/selected-node"], "n2");
});

test("disposing the scheduler does not wait for a claim that is never bound", { timeout: 5000 }, async () => {
  const h = await withClaim({ spec: { storageClassName: "sc" } }, "WaitForFirstConsumer");
  await h[Symbol.asyncDispose]();
  assert.deepEqual(h.bound, []);
});
