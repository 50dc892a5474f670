// Whatever pods and policies there are, the tables of all nodes let through what NetworkPolicy allows and nothing else.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { mayTalk, type Packet } from "./testing/model.ts";
import { passes, tableOf } from "./testing/packets.ts";
import { someWorld } from "./testing/worlds.ts";

const strangers = ["192.0.2.1", "203.0.113.7", "203.0.113.8"];
const services: readonly (readonly [protocol: string, port: number])[] = [
  ["TCP", 80],
  ["TCP", 8080],
  ["TCP", 443],
  ["UDP", 53],
  ["UDP", 80],
  ["SCTP", 80],
  ["ICMP", 0],
];

test("a packet passes the nodes of both ends exactly when policies allow it", () => {
  fc.assert(
    fc.property(someWorld, (world) => {
      const tables = ["n1", "n2"].map((name) => tableOf(world, name));
      const addresses = [...strangers, ...world.pods.flatMap(({ status }) => status?.podIP ?? [])];
      for (const source of addresses) {
        for (const destination of addresses) {
          for (const [protocol, port] of services) {
            const packet: Packet = { source, destination, protocol, port };
            assert.equal(
              tables.every((content) => passes(content, packet)),
              mayTalk(world, packet),
              `${source} to ${destination} ${protocol} ${port}`,
            );
          }
        }
      }
    }),
    { numRuns: 300 },
  );
});

test("a node without a pod that a policy selects has nothing in its table", () => {
  fc.assert(
    fc.property(someWorld, (world) => {
      const elsewhere = { ...world, pods: world.pods.filter(({ spec }) => spec.nodeName === "n2") };
      assert.equal(tableOf(elsewhere, "n1").size, 0);
    }),
    { numRuns: 50 },
  );
});
