import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { apiError, pods, type ReplicaSet, replicaSets } from "#api";
import { isActive } from "../shared/pods.ts";
import { createWorld } from "../testing/world.ts";
import { replicaSetKind } from "./controller.ts";
import { replicaController } from "./engine.ts";

const step = fc.record({
  kind: fc.constantFrom("delete", "fail", "orphan", "blind", "see", "pass"),
  index: fc.nat(9),
});

const replicaSet = (replicas: number): ReplicaSet => ({
  metadata: { namespace: "default", name: "web" },
  spec: {
    replicas,
    selector: { matchLabels: { app: "web" } },
    template: { metadata: { labels: { app: "web" } }, spec: { containers: [{ name: "c", image: "i" }] } },
  },
});

test("with lost answers, failing writes and a blind cache there is never a pod too many, and in the end exactly as many as wanted (I20)", () =>
  fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 6 }),
      fc.array(step, { maxLength: 20 }),
      fc.array(fc.nat(99), { minLength: 1, maxLength: 20 }),
      async (replicas, steps, dice) => {
        await using world = createWorld({ gracefulPods: true });
        let roll = 0;
        let faulty = true;
        let blind = false;
        const luck = (): number => (faulty ? (dice[roll++ % dice.length] ?? 99) : 99);
        const active = () => world.api.all(pods).filter((pod) => isActive(pod) && pod.metadata.labels?.["app"] === "web");
        const tooMany: string[] = [];
        world.api.before = ({ method, path, query }) => {
          if (blind && query["watch"] === "true") return apiError("ServiceUnavailable", "blind");
          if (method === "POST" && path.endsWith("/pods")) {
            if (luck() < 10) return apiError("TooManyRequests", "later");
            if (active().length >= replicas) tooMany.push(`a pod is created while there are ${active().length} of ${replicas}`);
          }
          return method === "DELETE" && luck() < 10 ? apiError("InternalError", "no") : undefined;
        };
        world.api.after = ({ method }) => {
          if (method !== "GET" && luck() < 10) throw new Error("connection reset");
        };
        world.api.put(replicaSets, replicaSet(replicas));
        world.run(replicaController(replicaSetKind, world.context));
        await world.settle();
        for (const { kind, index } of steps) {
          const pod = active()[index];
          const at = { namespace: "default", name: pod?.metadata.name ?? "" };
          if (kind === "blind") blind = true;
          if (kind === "blind") world.api.endWatches();
          else if (kind === "see") blind = false;
          else if (kind === "pass") await world.pass(3_000);
          else if (pod === undefined) continue;
          else if (kind === "delete") world.api.remove(pods, at);
          else if (kind === "fail") world.api.put(pods, { ...pod, status: { phase: "Failed" } });
          else world.api.put(pods, { ...pod, metadata: { ...pod.metadata, labels: { app: "other" } } });
          await world.settle();
        }
        faulty = false;
        blind = false;
        await world.pass(300_000);
        assert.deepEqual(tooMany, []);
        assert.equal(active().length, replicas);
      },
    ),
    { numRuns: 10 },
  ));
