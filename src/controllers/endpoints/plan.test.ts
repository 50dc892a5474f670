import assert from "node:assert/strict";
import { test } from "node:test";
import type { Endpoints, Pod, Service, Stored } from "#api";
import { planEndpoints } from "./plan.ts";

const service = (more: Partial<Service["spec"]> = {}): Stored<Service> => ({
  metadata: {
    namespace: "shop",
    name: "web",
    uid: "s",
    resourceVersion: "1",
    creationTimestamp: "2026-01-01T00:00:00Z",
    labels: { team: "a" },
  },
  spec: { selector: { app: "web" }, ports: [{ port: 80, targetPort: 8080 }], clusterIP: "10.0.0.1", ...more },
});

const pod = (index: number, ready: boolean, terminating = false): Stored<Pod> => ({
  metadata: {
    namespace: "shop",
    name: `p${index}`,
    uid: `u${index}`,
    resourceVersion: "1",
    creationTimestamp: "2026-01-01T00:00:00Z",
    labels: { app: "web" },
    ...(terminating ? { deletionTimestamp: "2026-01-01T00:00:05Z" } : {}),
  },
  spec: { containers: [], nodeName: "n" },
  status: {
    phase: "Running",
    podIP: `10.1.${index >> 8}.${index & 255}`,
    conditions: [{ type: "Ready", status: ready ? "True" : "False" }],
  },
});

const stored = (endpoints: Endpoints | undefined): Stored<Endpoints> => ({
  ...endpoints,
  metadata: { ...endpoints?.metadata, name: "web", uid: "e", resourceVersion: "1", creationTimestamp: "2026-01-01T00:00:00Z" },
});

test("ready and other addresses are listed apart, terminating ones not at all", () => {
  const planned = planEndpoints(service(), [pod(2, true), pod(1, true), pod(3, false), pod(4, true, true)], undefined);
  const address = (index: number) => ({
    ip: `10.1.0.${index}`,
    nodeName: "n",
    targetRef: { kind: "Pod", namespace: "shop", name: `p${index}`, uid: `u${index}` },
  });
  assert.deepEqual(planned?.subsets, [
    { addresses: [address(1), address(2)], notReadyAddresses: [address(3)], ports: [{ port: 8080, protocol: "TCP" }] },
  ]);
  assert.deepEqual(planned?.metadata.labels, { team: "a", "endpoints.kubernetes.io/managed-by": "endpoint-controller" });
});

test("a second plan over the same pods, in another order, changes nothing", () => {
  const current = stored(planEndpoints(service(), [pod(1, true), pod(2, false)], undefined));
  assert.equal(planEndpoints(service(), [pod(2, false), pod(1, true)], current), undefined);
  assert.ok(planEndpoints(service(), [pod(2, true), pod(1, true)], current) !== undefined);
});

test("more than a thousand addresses are cut and marked, and the mark goes when they fit again", () => {
  const many = Array.from({ length: 1200 }, (_, i) => pod(i, i % 2 === 0));
  const cut = planEndpoints(service(), many, undefined);
  const [subset] = cut?.subsets ?? [];
  assert.deepEqual([subset?.addresses?.length, subset?.notReadyAddresses?.length], [600, 400]);
  assert.equal(cut?.metadata.annotations?.["endpoints.kubernetes.io/over-capacity"], "truncated");
  const fits = planEndpoints(service(), many.slice(0, 10), stored(cut));
  assert.equal(fits?.metadata.annotations?.["endpoints.kubernetes.io/over-capacity"], undefined);
});

test("publishNotReadyAddresses lists everything as ready, terminating pods too", () => {
  const planned = planEndpoints(
    service({ publishNotReadyAddresses: true, clusterIP: "None" }),
    [pod(1, false), pod(2, true, true)],
    undefined,
  );
  assert.equal(planned?.subsets?.[0]?.addresses?.length, 2);
  assert.equal(planned?.metadata.labels?.["service.kubernetes.io/headless"], "");
});
