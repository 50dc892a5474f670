// What the runtime reads of a container's confinement.
import assert from "node:assert/strict";
import { test } from "node:test";
import { containerConfig } from "../pod/container-config.ts";
import { sandboxConfig } from "../pod/sandbox-config.ts";
import { aPod } from "../testing/model.ts";
import { containerToCri } from "./to-cri.ts";

test("an AppArmor profile reaches the runtime, the container's before its pod's; without one the runtime chooses", () => {
  const apparmor = (ofPod: object | undefined, ofContainer: object | undefined): unknown => {
    const pod = aPod({
      securityContext: { appArmorProfile: ofPod as { type: string } },
      containers: [{ name: "app", image: "i", securityContext: { appArmorProfile: ofContainer as { type: string } } }],
    });
    const [container] = pod.spec.containers;
    assert.ok(container !== undefined);
    const image = { id: "i", tags: [], digests: [], sizeBytes: 1, user: "" };
    const config = containerConfig({
      pod,
      container,
      attempt: 0,
      image,
      environment: new Map(),
      mounts: [],
      resources: {},
      terminationMessageFile: undefined,
    });
    const sandbox = sandboxConfig(pod, {
      attempt: 0,
      options: { nodeName: "n1", nodeIps: ["10.0.0.1"] },
      runtimeHandler: "",
      cgroupParent: "",
    });
    return (containerToCri(config, sandbox) as { linux: { securityContext: { apparmor: unknown } } }).linux.securityContext
      .apparmor;
  };
  assert.equal(apparmor(undefined, undefined), undefined);
  assert.deepEqual(apparmor({ type: "RuntimeDefault" }, undefined), { profileType: "RuntimeDefault" });
  assert.deepEqual(apparmor({ type: "RuntimeDefault" }, { type: "Unconfined" }), { profileType: "Unconfined" });
  assert.deepEqual(apparmor(undefined, { type: "Localhost", localhostProfile: "mine" }), {
    profileType: "Localhost",
    localhostRef: "mine",
  });
});
