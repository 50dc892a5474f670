// Subresources that change a part: what a resize, an approval and a debugging container may be.
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { certificateRequest } from "../testing/certificate-request.ts";
import { pod, type TestServer, testServer } from "../testing/server.ts";

const pods = "/api/v1/namespaces/default/pods";
const strategic = { contentType: "application/strategic-merge-patch+json" };
const merge = { contentType: "application/merge-patch+json" };

describe("pods/resize", () => {
  let cluster: TestServer;
  before(async () => {
    cluster = await testServer({ disableAdmission: ["ServiceAccount"] });
  });
  after(() => cluster[Symbol.asyncDispose]());
  const make = (name: string, resources: object, more: object = {}): Promise<{ code: number }> =>
    cluster.call("POST", pods, pod(name, { containers: [{ name: "c", image: "i", resources }], ...more }));
  const resize = async (name: string, spec: object): Promise<string> => {
    const { code, object } = await cluster.call("PATCH", `${pods}/${name}/resize`, { spec }, strategic);
    return code === 200 ? JSON.stringify(object.spec.resources ?? object.spec.containers[0].resources) : object.message;
  };
  const container = (resources: object): object => ({ containers: [{ name: "c", resources }] });

  it("changes how much a container gets", async () => {
    await make("grows", { requests: { cpu: "1" } });
    assert.equal(await resize("grows", container({ requests: { cpu: "2" } })), '{"requests":{"cpu":"2"}}');
  });

  it("works for a pod that is being debugged", async () => {
    await make("debugged", { requests: { cpu: "1" } });
    const body = { spec: { ephemeralContainers: [{ name: "e", image: "i" }] } };
    assert.equal((await cluster.call("PATCH", `${pods}/debugged/ephemeralcontainers`, body, strategic)).code, 200);
    assert.equal(await resize("debugged", container({ requests: { cpu: "2" } })), '{"requests":{"cpu":"2"}}');
    const { object } = await cluster.call("GET", `${pods}/debugged`);
    assert.equal(object.spec.ephemeralContainers[0].name, "e");
  });

  it("does not change the pod's guarantee", async () => {
    await make("stays", { limits: { cpu: "1", memory: "1Gi" } });
    assert.equal(
      await resize("stays", container({ requests: { cpu: "500m" } })),
      'Pod "stays" is invalid: spec: Invalid value: "Guaranteed": Pod QOS Class may not change as a result of resizing',
    );
  });

  it("changes CPU and memory of the pod as a whole, and takes none of it away", async () => {
    const resources = { limits: { cpu: "1", memory: "1Gi" }, requests: { cpu: "500m", memory: "500Mi" } };
    await make("whole", {}, { resources });
    assert.equal(
      await resize("whole", { resources: { requests: { cpu: "600m" } } }),
      '{"limits":{"cpu":"1","memory":"1Gi"},"requests":{"cpu":"600m","memory":"500Mi"}}',
    );
    assert.equal(
      await resize("whole", { resources: { limits: { memory: null } } }),
      'Pod "whole" is invalid: spec.resources.limits: Forbidden: pod-level resource limits cannot be removed',
    );
    assert.equal(
      await resize("whole", { resources: null }),
      'Pod "whole" is invalid: spec.resources: Forbidden: pod-level resources cannot be removed',
    );
  });

  it("ephemeral containers are not for static pods", async () => {
    const mirror = pod("mirror", { nodeName: "n" }) as { metadata: object };
    await cluster.call("POST", pods, {
      ...mirror,
      metadata: { ...mirror.metadata, annotations: { "kubernetes.io/config.mirror": "x" } },
    });
    const body = { spec: { ephemeralContainers: [{ name: "e", image: "i" }] } };
    const { object } = await cluster.call("PATCH", `${pods}/mirror/ephemeralcontainers`, body, strategic);
    assert.equal(object.message, 'Pod "mirror" is invalid: []: Forbidden: static pods do not support ephemeral containers');
  });

  it("an approval is True or not at all", async () => {
    const path = "/apis/certificates.k8s.io/v1/certificatesigningrequests";
    const request = certificateRequest();
    await cluster.call("POST", path, {
      apiVersion: "certificates.k8s.io/v1",
      kind: "CertificateSigningRequest",
      metadata: { name: "asked" },
      spec: { request, signerName: "example.com/a", usages: ["client auth"] },
    });
    const decide = (status: string): Promise<{ code: number }> =>
      cluster.call(
        "PATCH",
        `${path}/asked/approval`,
        { status: { conditions: [{ type: "Denied", status, reason: "R" }] } },
        merge,
      );
    assert.equal((await decide("False")).code, 422);
    assert.equal((await decide("True")).code, 200);
  });
});
