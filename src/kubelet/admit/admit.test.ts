// Which pods a node takes.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Node, Pod } from "#api";
import { admit } from "./admit.ts";

const asking = (requests: Record<string, string>): Pod =>
  ({ metadata: { name: "p" }, spec: { containers: [{ name: "c", image: "i", resources: { requests } }] } }) as unknown as Pod;
const host = { hasAppArmor: true };
const node = (allocatable: Record<string, string>): Node =>
  ({ metadata: { name: "n", labels: {} }, spec: {}, status: { allocatable } }) as unknown as Node;

describe("admit() counts resources", () => {
  for (const [name, requests, allocatable, reason] of [
    ["a native resource that does not fit", { cpu: "2" }, { cpu: "1" }, "OutOfcpu"],
    ["an extended resource that does not fit", { "example.com/gpu": "2" }, { "example.com/gpu": "1" }, "OutOfexample.com/gpu"],
    ["an extended resource that the node does not report", { "example.com/gpu": "2" }, { cpu: "1" }, undefined],
    ["a native resource that the node does not report", { "hugepages-2Mi": "2Mi" }, { cpu: "1" }, "OutOfhugepages-2Mi"],
  ] as const)
    it(name, () => assert.equal(admit(asking(requests), [], node({ pods: "110", ...allocatable }), host)?.reason, reason));
});

describe("admit() where the host has no AppArmor", () => {
  const confined = (ofPod: string | undefined, ofContainer: string | undefined): Pod =>
    ({
      metadata: { name: "p" },
      spec: {
        securityContext: ofPod && { appArmorProfile: { type: ofPod } },
        containers: [{ name: "c", image: "i", securityContext: ofContainer && { appArmorProfile: { type: ofContainer } } }],
      },
    }) as unknown as Pod;
  const message = "Cannot enforce AppArmor: AppArmor is not enabled on the host";
  for (const [name, pod, expected] of [
    ["takes a pod that asks for nothing", confined(undefined, undefined), undefined],
    ["takes a pod that wants to be unconfined", confined("Unconfined", undefined), undefined],
    ["refuses a container with the runtime's profile", confined(undefined, "RuntimeDefault"), message],
    ["refuses a profile of the whole pod", confined("Localhost", undefined), message],
    ["lets a container take itself out of its pod's profile", confined("RuntimeDefault", "Unconfined"), undefined],
  ] as const)
    it(name, () => {
      const refusal = admit(pod, [], node({ pods: "110" }), { hasAppArmor: false });
      assert.equal(refusal?.message, expected);
      assert.equal(refusal?.reason, expected && "AppArmor");
      assert.equal(admit(pod, [], node({ pods: "110" }), host), undefined);
    });
});
