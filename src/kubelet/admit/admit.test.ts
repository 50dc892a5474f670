// Which pods a node takes.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Node, Pod } from "#api";
import { admit } from "./admit.ts";

const asking = (requests: Record<string, string>): Pod =>
  ({ metadata: { name: "p" }, spec: { containers: [{ name: "c", image: "i", resources: { requests } }] } }) as unknown as Pod;
const node = (allocatable: Record<string, string>): Node =>
  ({ metadata: { name: "n", labels: {} }, spec: {}, status: { allocatable } }) as unknown as Node;

describe("admit() counts resources", () => {
  for (const [name, requests, allocatable, reason] of [
    ["a native resource that does not fit", { cpu: "2" }, { cpu: "1" }, "OutOfcpu"],
    ["an extended resource that does not fit", { "example.com/gpu": "2" }, { "example.com/gpu": "1" }, "OutOfexample.com/gpu"],
    ["an extended resource that the node does not report", { "example.com/gpu": "2" }, { cpu: "1" }, undefined],
    ["a native resource that the node does not report", { "hugepages-2Mi": "2Mi" }, { cpu: "1" }, "OutOfhugepages-2Mi"],
  ] as const)
    it(name, () => assert.equal(admit(asking(requests), [], node({ pods: "110", ...allocatable }))?.reason, reason));
});
