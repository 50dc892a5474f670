import assert from "node:assert/strict";
import { test } from "node:test";
import { nodes } from "#api";
import { createWorld } from "../testing/world.ts";
import { nodeIpamController } from "./controller.ts";
import { indexesOf, nextFree, poolOf, rangeAt } from "./plan.ts";

test("a cluster range is cut into node ranges, in both families", () => {
  const pool = poolOf("10.244.0.0/16", 24);
  assert.deepEqual([pool.count, rangeAt(pool, 0), rangeAt(pool, 255)], [256, "10.244.0.0/24", "10.244.255.0/24"]);
  const six = poolOf("fd00:10:244::/56", 64);
  assert.deepEqual([six.count, rangeAt(six, 0), rangeAt(six, 255)], [256, "fd00:10:244::/64", "fd00:10:244:ff::/64"]);
});

for (const [cidr, mask, want] of [
  ["10.0.0.0/25", 24, /larger/],
  ["10.0.0.0/2", 24, /more than 65536/],
  ["nonsense", 24, /no address range/],
] as const)
  test(`"${cidr}" is refused with a reason`, () => {
    assert.throws(() => poolOf(cidr, mask), want);
  });

test("ranges that are taken, larger or smaller than ours, are not handed out", () => {
  const pool = poolOf("10.244.0.0/16", 24);
  assert.deepEqual(indexesOf(pool, "10.244.3.128/25"), [3, 3]);
  assert.deepEqual(indexesOf(pool, "10.244.4.0/22"), [4, 7]);
  assert.deepEqual(indexesOf(pool, "10.0.0.0/8"), [0, 255]);
  assert.equal(indexesOf(pool, "10.245.0.0/24"), undefined);
  assert.equal(
    nextFree(
      pool,
      new Map([
        [5, 1],
        [6, 2],
      ]),
      5,
    ),
    7,
  );
  assert.equal(
    nextFree(
      poolOf("10.0.0.0/23", 24),
      new Map([
        [0, 1],
        [1, 1],
      ]),
      0,
    ),
    undefined,
  );
});

test("every node gets a range of its own, existing ones are respected, and exhaustion is an event", async () => {
  await using world = createWorld({ options: { clusterCidrs: ["10.0.0.0/22"] } });
  world.api.put(nodes, { metadata: { name: "old" }, spec: { podCIDR: "10.0.1.0/24", podCIDRs: ["10.0.1.0/24"] } });
  for (const name of ["a", "b", "c"]) world.api.put(nodes, { metadata: { name }, spec: {} });
  world.run(nodeIpamController(world.context));
  await world.settle();
  const ranges = (): (string | undefined)[] => world.api.all(nodes).map(({ spec }) => spec?.podCIDRs?.[0]);
  assert.deepEqual(ranges(), ["10.0.1.0/24", "10.0.0.0/24", "10.0.2.0/24", "10.0.3.0/24"]);
  world.api.put(nodes, { metadata: { name: "late" }, spec: {} });
  await world.settle();
  assert.deepEqual(world.events, ["Normal CIDRNotAvailable Node late status is now: CIDRNotAvailable"]);
  world.api.remove(nodes, { name: "a" });
  await world.pass(2_000);
  assert.equal(ranges().at(-1), "10.0.0.0/24");
});
