import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { configMaps, type ResourceType } from "#api";
import { createWorld } from "../testing/world.ts";
import { startGarbageCollector } from "./controller.ts";

const step = fc.oneof(
  fc.record({
    kind: fc.constant("create" as const),
    name: fc.nat(7),
    owners: fc.array(fc.nat(7), { maxLength: 3 }),
    block: fc.boolean(),
  }),
  fc.record({
    kind: fc.constant("delete" as const),
    name: fc.nat(7),
    policy: fc.constantFrom("Background", "Foreground", "Orphan"),
  }),
  fc.record({ kind: fc.constant("settle" as const) }),
);

test("nothing with a living owner is ever collected, and in the end nothing is left that lost all its owners (I15, I17)", () =>
  fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 25 }), async (steps) => {
      const world = createWorld();
      const running = startGarbageCollector(world.context, async () => ({
        resources: [configMaps] as readonly ResourceType[],
        failures: [],
      }));
      world.context.informers.start();
      let byUser = false;
      world.api.before = ({ method, path, body }) => {
        if (method !== "DELETE" || byUser) return undefined;
        const object = world.api.peek(configMaps, { namespace: "a", name: path.slice(path.lastIndexOf("/") + 1) });
        const { uid, resourceVersion } =
          (body as { preconditions?: { uid?: string; resourceVersion?: string } }).preconditions ?? {};
        // A request that its precondition refuses deletes nothing.
        if (object?.metadata.uid !== uid || object?.metadata.resourceVersion !== resourceVersion) return undefined;
        const alive = world.api
          .all(configMaps)
          .filter(({ metadata }) => metadata.finalizers?.includes("foregroundDeletion") !== true);
        const owners = object?.metadata.ownerReferences ?? [];
        assert.ok(owners.length > 0, "collected an object without owners");
        assert.ok(
          !owners.some((owner) => alive.some(({ metadata }) => metadata.uid === owner.uid)),
          `collected ${object?.metadata.name}, whose owner lives`,
        );
        return undefined;
      };
      for (const one of steps) {
        const at = { namespace: "a", name: `m${"name" in one ? one.name : 0}` };
        if (one.kind === "settle") await world.settle();
        else if (one.kind === "create" && world.api.peek(configMaps, at) === undefined) {
          const ownerReferences = one.owners.flatMap((index) => {
            const owner = world.api.peek(configMaps, { namespace: "a", name: `m${index}` });
            return owner === undefined
              ? []
              : [
                  {
                    apiVersion: "v1",
                    kind: "ConfigMap",
                    name: owner.metadata.name,
                    uid: owner.metadata.uid,
                    blockOwnerDeletion: one.block,
                  },
                ];
          });
          await world.client.create(configMaps, { metadata: { ...at, ownerReferences } });
        } else if (one.kind === "delete" && world.api.peek(configMaps, at) !== undefined) {
          byUser = true;
          await world.client.delete(configMaps, at, { propagationPolicy: one.policy });
          byUser = false;
        }
      }
      await world.pass(30_000);
      const rest = world.api.all(configMaps);
      const uids = new Set(rest.map(({ metadata }) => metadata.uid));
      for (const { metadata } of rest) {
        const owners = metadata.ownerReferences ?? [];
        assert.ok(
          owners.length === 0 || owners.some(({ uid }) => uids.has(uid)),
          `${metadata.name} lost all its owners and stays`,
        );
        assert.equal(metadata.deletionTimestamp, undefined, `${metadata.name} is stuck in deletion`);
      }
      await running[Symbol.asyncDispose]();
      await world[Symbol.asyncDispose]();
    }),
    { numRuns: 20 },
  ));
