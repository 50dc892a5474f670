import assert from "node:assert/strict";
import { test } from "node:test";
import { certificateSigningRequests as type } from "#api";
import type { Client } from "#client";
import { certificateRequest } from "../testing/certificate-request.ts";
import { createWorld } from "../testing/world.ts";
import { approvingController } from "./controller.ts";

test("a kubelet's request is approved when its maker is allowed to have one, also when that comes later", async () => {
  await using world = createWorld();
  const allowed = new Set<string>();
  const asked: unknown[] = [];
  // the fake API does not review
  const client: Client = {
    ...world.client,
    create: async (resource, object, options) => {
      if (resource.kind !== "SubjectAccessReview") return world.client.create(resource, object, options);
      const { spec } = object as unknown as { spec: { user: string; resourceAttributes: { subresource: string } } };
      asked.push(spec);
      return { ...object, status: { allowed: allowed.has(`${spec.user} ${spec.resourceAttributes.subresource}`) } } as never;
    },
  };
  world.api.put(type, certificateRequest());
  world.run(approvingController({ ...world.context, client }));
  await world.settle();
  const conditions = () => world.api.peek(type, { name: "csr" })?.status?.conditions;
  assert.equal(conditions(), undefined);
  assert.deepEqual(asked, [
    {
      user: "system:bootstrap:abcdef",
      uid: undefined,
      groups: ["system:bootstrappers", "system:authenticated"],
      extra: undefined,
      resourceAttributes: {
        group: "certificates.k8s.io",
        version: "*",
        resource: "certificatesigningrequests",
        subresource: "nodeclient",
        verb: "create",
      },
    },
  ]);

  allowed.add("system:bootstrap:abcdef nodeclient");
  await world.pass(61_000);
  assert.deepEqual(conditions(), [
    {
      type: "Approved",
      status: "True",
      reason: "AutoApproved",
      message: "Auto approving kubelet client certificate after SubjectAccessReview.",
      lastUpdateTime: "2026-01-01T00:01:00Z",
    },
  ]);
  const writes = world.api.requests.filter(({ method }) => method === "PUT").map(({ path }) => path);
  assert.deepEqual(writes, ["/apis/certificates.k8s.io/v1/certificatesigningrequests/csr/approval"]);
});
