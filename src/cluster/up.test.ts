// When `tiphys up` counts a node as there.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Node } from "#api";
import { takesPods } from "./up.ts";

const node = (ready: string, ...taints: string[]): Node => ({
  metadata: { name: "n" },
  spec: { taints: taints.map((key) => ({ key, effect: "NoSchedule" })) },
  status: { conditions: [{ type: "Ready", status: ready }] },
});

for (const [what, one, expected] of [
  ["Ready", node("True"), true],
  ["Ready, with the taint of new nodes", node("True", "node.kubernetes.io/not-ready"), false],
  ["not Ready", node("False"), false],
  ["Ready and kept for others", node("True", "node-role.kubernetes.io/control-plane"), true],
  ["just made", { metadata: { name: "n" }, spec: {} } as Node, false],
] as const)
  test(`a node that is ${what} ${expected ? "takes pods" : "does not take pods yet"}`, () => {
    assert.equal(takesPods(one), expected);
  });
