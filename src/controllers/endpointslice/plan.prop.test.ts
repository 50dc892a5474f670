import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { EndpointSlice, Pod, Service, Stored } from "#api";
import { planSlices } from "./plan.ts";

const service: Stored<Service> = {
  metadata: { namespace: "shop", name: "web", uid: "s", resourceVersion: "1", creationTimestamp: "2026-01-01T00:00:00Z" },
  spec: { selector: { app: "web" }, ports: [{ port: 80, targetPort: "web" }], ipFamilies: ["IPv4"], clusterIP: "10.0.0.1" },
};

const pod = (index: number, port: number, ready: boolean): Stored<Pod> => ({
  metadata: {
    namespace: "shop",
    name: `p${index}`,
    uid: `u${index}`,
    resourceVersion: "1",
    creationTimestamp: "2026-01-01T00:00:00Z",
    labels: { app: "web" },
  },
  spec: { containers: [{ name: "c", image: "i", ports: [{ name: "web", containerPort: port }] }] },
  status: {
    phase: "Running",
    podIP: `10.1.${index >> 8}.${index & 255}`,
    conditions: [{ type: "Ready", status: ready ? "True" : "False" }],
  },
});

const change = fc.record({
  from: fc.nat(399),
  count: fc.nat(150),
  action: fc.constantFrom("add", "remove", "toggle"),
  port: fc.constantFrom(8080, 9090),
});

test("after any history the slices hold exactly the pods, each once, at most 100 a slice, and a second plan changes nothing (I28)", () =>
  fc.assert(
    fc.property(fc.array(change, { maxLength: 12 }), (changes) => {
      const pods = new Map<number, Stored<Pod>>();
      let slices: Stored<EndpointSlice>[] = [];
      let names = 0;
      for (const { from, count, action, port } of changes) {
        for (let i = from; i < Math.min(400, from + count); i++) {
          if (action === "add") pods.set(i, pod(i, port, true));
          else if (action === "remove") pods.delete(i);
          else if (pods.has(i)) pods.set(i, pod(i, port, false));
        }
        const { create, update, remove } = planSlices({ service, pods: [...pods.values()], slices, node: () => undefined });
        const gone = new Set([...remove, ...update].map(({ metadata }) => metadata.name));
        const fresh = create.map((slice): Stored<EndpointSlice> => {
          const name = `s${++names}`;
          return {
            ...slice,
            metadata: { ...slice.metadata, name, uid: name, resourceVersion: "1", creationTimestamp: "2026-01-01T00:00:00Z" },
          };
        });
        slices = [...slices.filter(({ metadata }) => !gone.has(metadata.name)), ...update, ...fresh];
        const listed = slices.flatMap((slice) =>
          (slice.endpoints ?? []).map(
            (endpoint) => `${endpoint.targetRef?.uid} ${slice.ports?.[0]?.port} ${endpoint.conditions?.ready}`,
          ),
        );
        const wanted = [...pods.values()].map(
          (one) =>
            `${one.metadata.uid} ${one.spec.containers[0]?.ports?.[0]?.containerPort} ${one.status?.conditions?.[0]?.status === "True"}`,
        );
        assert.deepEqual(listed.sort(), wanted.sort());
        assert.ok(slices.every((slice) => (slice.endpoints ?? []).length <= 100));
        assert.ok(slices.length >= 1 && slices.filter((slice) => (slice.endpoints ?? []).length === 0).length <= 1);
        assert.deepEqual(planSlices({ service, pods: [...pods.values()], slices, node: () => undefined }), {
          create: [],
          update: [],
          remove: [],
        });
      }
    }),
    { numRuns: 30 },
  ));
