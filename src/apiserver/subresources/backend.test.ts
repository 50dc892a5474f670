// Where proxied requests go: never to the address of a pod that only pretends to have one.
import assert from "node:assert/strict";
import { test } from "node:test";
import { ApiError, simulatedNodeLabel } from "#api";
import type { ObjectReader } from "../contract.ts";
import { podBackend, serviceBackend } from "./backend.ts";

/** A pod, a service on it, and their node. */
function objects(nodeLabels: Record<string, string>): ObjectReader {
  const metadata = { namespace: "default", name: "web" };
  const byPlural: Record<string, object> = {
    nodes: { metadata: { name: "n1", labels: nodeLabels } },
    pods: {
      metadata,
      spec: { nodeName: "n1", containers: [{ name: "c", ports: [{ containerPort: 8080 }] }] },
      status: { podIP: "10.128.0.2" },
    },
    services: { metadata, spec: { ports: [{ port: 80 }] } },
    endpointslices: {
      metadata: { ...metadata, labels: { "kubernetes.io/service-name": "web" } },
      ports: [{ port: 8080 }],
      endpoints: [{ addresses: ["10.128.0.2"], nodeName: "n1" }],
    },
  };
  return {
    get: ({ plural }: { plural: string }) => byPlural[plural],
    list: ({ plural }: { plural: string }) => [byPlural[plural]],
  } as unknown as ObjectReader;
}

const pod = (reader: ObjectReader) => podBackend(reader, "default", "web");
const service = (reader: ObjectReader) => serviceBackend(reader, "default", "web", () => 0);

test("a request goes on to the pod, and through a service to one of its endpoints", () => {
  const expected = { scheme: "http", host: "10.128.0.2", port: 8080, kubelet: false };
  assert.deepEqual(pod(objects({})), expected);
  assert.deepEqual(service(objects({})), expected);
});

test("what runs on a simulated node has no address that could be dialled", () => {
  const simulated = objects({ [simulatedNodeLabel]: "true" });
  for (const backend of [pod, service])
    assert.throws(
      () => backend(simulated),
      (error: ApiError) => {
        assert.ok(error instanceof ApiError);
        assert.deepEqual([error.status.code, error.status.reason], [503, "ServiceUnavailable"]);
        assert.equal(error.message, 'error trying to reach service: node "n1" is simulated, nothing listens on 10.128.0.2:8080');
        return true;
      },
    );
});

test("a port that a service does not name may still be one of its endpoints'; a number that it does not have is refused", () => {
  const to = (target: string) => (): unknown => serviceBackend(objects({}), "default", target, () => 0);
  assert.throws(to("web:nope"), { message: 'no endpoints available for service "web:nope"' });
  assert.throws(to("web:81"), { message: 'no service port 81 found for service "web"' });
});
