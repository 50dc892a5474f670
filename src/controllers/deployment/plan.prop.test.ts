import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { Deployment, ReplicaSet, Stored } from "#api";
import { planDeployment } from "./plan.ts";
import { boundsOf, revisionOf } from "./replica-sets.ts";

const startMs = Date.UTC(2026, 0, 1);

/** A Deployment whose ReplicaSet controller and kubelets lag behind by as much as the steps say. */
class Simulation {
  deployment: Stored<Deployment>;
  sets: Stored<ReplicaSet>[] = [];
  #revision = 1;
  #nowMs = startMs;

  constructor(replicas: number, maxSurge: number | string, maxUnavailable: number | string) {
    this.deployment = {
      metadata: {
        namespace: "default",
        name: "web",
        uid: "d",
        resourceVersion: "1",
        creationTimestamp: "2026-01-01T00:00:00Z",
        generation: 1,
      },
      spec: {
        replicas,
        selector: { matchLabels: { app: "web" } },
        template: { metadata: { labels: { app: "web" } }, spec: { containers: [{ name: "c", image: "v0" }] } },
        strategy: { type: "RollingUpdate", rollingUpdate: { maxSurge, maxUnavailable } },
        progressDeadlineSeconds: 600,
        revisionHistoryLimit: 2,
      },
    };
  }

  image(image: string): void {
    const { spec, metadata } = this.deployment;
    this.deployment = {
      ...this.deployment,
      metadata: { ...metadata, generation: (metadata.generation ?? 0) + 1 },
      spec: { ...spec, template: { ...spec.template, spec: { containers: [{ name: "c", image }] } } },
    };
  }

  plan(): boolean {
    this.#nowMs += 1000;
    const plan = planDeployment({ deployment: this.deployment, replicaSets: this.sets, pods: () => [], nowMs: this.#nowMs });
    for (const write of plan.writes) {
      const { object } = write;
      const metadata = {
        ...object.metadata,
        uid: object.metadata.uid ?? `u${this.#revision}`,
        resourceVersion: String(++this.#revision),
        creationTimestamp: object.metadata.creationTimestamp ?? new Date(this.#nowMs).toISOString(),
      };
      const stored = { ...object, metadata } as Stored<ReplicaSet>;
      if (write.kind === "create")
        assert.ok(!this.sets.some(({ metadata: { name } }) => name === object.metadata.name), "created twice");
      this.sets = [
        ...this.sets.filter(({ metadata: { name } }) => name !== object.metadata.name),
        ...(write.kind === "delete" ? [] : [stored]),
      ];
    }
    if (plan.status !== undefined) this.deployment = { ...this.deployment, status: plan.status };
    if (plan.revision !== undefined)
      this.deployment = {
        ...this.deployment,
        metadata: { ...this.deployment.metadata, annotations: { "deployment.kubernetes.io/revision": plan.revision } },
      };
    return plan.writes.length > 0 || plan.status !== undefined;
  }

  /** The ReplicaSet controller sees the wish, and up to `count` pods of one set become available. Surplus pods that are not available go first. */
  catchUp(index: number, count: number): void {
    const set = this.sets[index % Math.max(1, this.sets.length)];
    if (set === undefined) return;
    const replicas = set.spec.replicas ?? 0;
    const available = Math.min(replicas, (set.status?.availableReplicas ?? 0) + count);
    const next = {
      ...set,
      status: { replicas, availableReplicas: available, readyReplicas: available, observedGeneration: set.metadata.generation },
    };
    this.sets = this.sets.map((other) => (other === set ? next : other));
  }

  settle(): void {
    for (let round = 0; round < 500; round++) {
      for (let i = 0; i < this.sets.length; i++) this.catchUp(i, 1000);
      if (!this.plan()) return;
    }
    assert.fail("the rollout does not come to rest");
  }
}

const size = fc.oneof(
  fc.integer({ min: 0, max: 10 }),
  fc.integer({ min: 0, max: 100 }).map((percent) => `${percent}%`),
);
const step = fc.oneof(
  fc.record({ kind: fc.constant("plan" as const) }),
  fc.record({ kind: fc.constant("catchUp" as const), index: fc.nat(5), count: fc.nat(5) }),
  fc.record({ kind: fc.constant("image" as const), image: fc.constantFrom("v1", "v2", "v3") }),
);

test("a rollout never has more than replicas + maxSurge pods nor fewer than replicas - maxUnavailable available, and ends with one set (I21)", () =>
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 30 }),
      size,
      size,
      fc.array(step, { maxLength: 60 }),
      (replicas, maxSurge, maxUnavailable, steps) => {
        const world = new Simulation(replicas, maxSurge, maxUnavailable);
        world.settle();
        const bounds = boundsOf(world.deployment);
        let revision = revisionOf(world.deployment);
        for (const one of steps) {
          if (one.kind === "image") world.image(one.image);
          else if (one.kind === "catchUp") world.catchUp(one.index, one.count);
          else {
            world.plan();
            const wanted = world.sets.reduce((sum, { spec }) => sum + (spec.replicas ?? 0), 0);
            // A set that was told to shrink loses what is not available first, so this is what can still serve.
            const serving = world.sets.reduce(
              (sum, { spec, status }) => sum + Math.min(spec.replicas ?? 0, status?.availableReplicas ?? 0),
              0,
            );
            assert.ok(wanted <= replicas + bounds.surge, `${wanted} pods wanted, ${replicas} + ${bounds.surge} allowed`);
            assert.ok(
              serving >= replicas - bounds.unavailable,
              `${serving} available, ${replicas} - ${bounds.unavailable} needed`,
            );
            assert.ok(revisionOf(world.deployment) >= revision, "the revision went back");
            revision = revisionOf(world.deployment);
          }
        }
        world.settle();
        const active = world.sets.filter(({ spec }) => spec.replicas !== 0);
        assert.deepEqual(
          active.map(({ spec }) => [spec.replicas, spec.template?.spec?.containers[0]?.image]),
          [[replicas, world.deployment.spec.template.spec?.containers[0]?.image]],
        );
        assert.equal(new Set(world.sets.map(revisionOf)).size, world.sets.length, "two sets share a revision");
      },
    ),
    { numRuns: 300 },
  ));
