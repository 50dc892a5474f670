// What `tiphys up` becomes on which machine, and where the user's kubeconfig is.
import assert from "node:assert/strict";
import { test } from "node:test";
import { type Files, type Processes, readOptions } from "#base";
import { upOptions } from "./options.ts";
import { decideShape, type Machine } from "./shape.ts";

const machine: Machine = { platform: "linux", isRoot: true, hostname: "Host", homeDirectory: "/home/me", kubeconfig: undefined };
const found = { stat: async () => ({ kind: "file" }) } as unknown as Files;
const nothing = { stat: async () => undefined } as unknown as Files;
const processes = {
  run: async () => ({ code: 0, stdout: "192.0.2.1 via 192.0.2.254 dev eth0 src 192.0.2.2 uid 0", stderr: "" }),
} as unknown as Processes;
const options = (values: Record<string, string> = {}) => readOptions(upOptions, values);

test("root on Linux with containerd gets one real node, named by the host", async () => {
  const shape = await decideShape(options(), machine, { files: found, processes });
  assert.deepEqual([shape.realNodes, shape.simNodes, shape.nodeName, shape.nodeAddress], [1, 0, "host", "192.0.2.2"]);
  assert.equal(shape.dataDir, "/var/lib/tiphys");
});

for (const [what, other, files, why] of [
  ["another system", { platform: "darwin" }, found, "darwin has no containerd; containers need Linux"],
  ["a user who is not root", { isRoot: false }, found, "containers need root"],
  ["a machine without containerd", {}, nothing, "not installed: containerd, ctr, runc, nft, ip, bridge"],
] as const) {
  test(`${what} gets three simulated nodes and hears why; asking for real ones is refused`, async () => {
    const here = { ...machine, ...other };
    const shape = await decideShape(options(), here, { files, processes });
    assert.deepEqual([shape.realNodes, shape.simNodes, shape.whySimulated], [0, 3, why]);
    await assert.rejects(decideShape(options({ nodes: "1" }), here, { files, processes }), {
      message: `Cannot run real nodes: ${why}; use --sim-nodes for simulated ones`,
    });
  });
}

for (const [values, files, expected] of [
  [{ single: "true" }, found, [1, 0, undefined]],
  [{ single: "true" }, nothing, [0, 1, undefined]],
  [{ single: "true", nodes: "0" }, found, [0, 1, undefined]],
  [{ role: "control-plane" }, found, [1, 0, "host"]],
  [{ role: "control-plane", nodes: "3", nodeName: "mine" }, found, [3, 0, "node-1"]],
  [{ role: "control-plane", nodes: "0", simNodes: "2" }, found, [0, 2, "sim-0"]],
  [{ role: "worker" }, nothing, [0, 3, undefined]],
] as const)
  test(`${JSON.stringify(values)}: ${expected.join("+")} nodes, ${expected[2] ?? "none"} kept from ordinary pods`, async () => {
    const shape = await decideShape(options(values), machine, { files, processes });
    assert.deepEqual([shape.realNodes, shape.simNodes, shape.controlPlaneNode], expected);
  });

for (const [values, message] of [
  [{ single: "true", nodes: "2" }, "Cannot use --single: 2 nodes are asked for with --nodes and --sim-nodes"],
  [{ single: "true", simNodes: "1" }, "Cannot use --single: 2 nodes are asked for with --nodes and --sim-nodes"],
  [
    { single: "true", role: "control-plane" },
    "Cannot use --single: with --role=control-plane no ordinary pod would run on the only node",
  ],
  [{ role: "control-plane", nodes: "0", simNodes: "0" }, "Cannot use --role=control-plane: there is no node to give it to"],
] as const)
  test(`${JSON.stringify(values)} is refused`, async () => {
    await assert.rejects(decideShape(options(values), machine, { files: found, processes }), { message });
  });

for (const [what, values, kubeconfig, expected] of [
  ["nothing said", {}, undefined, "/home/me/.kube/config"],
  ["KUBECONFIG", {}, ":/a:/b", "/a"],
  ["--kubeconfig", { kubeconfig: "/c" }, "/a", "/c"],
  ["a data directory of its own", { dataDir: "/d" }, "/a", undefined],
  ["both flags", { dataDir: "/d", kubeconfig: "/c" }, undefined, "/c"],
] as const)
  test(`${what}: the cluster is added to ${expected ?? "no kubeconfig"}`, async () => {
    const shape = await decideShape(options(values), { ...machine, kubeconfig }, { files: found, processes });
    assert.equal(shape.userKubeconfig, expected);
  });
