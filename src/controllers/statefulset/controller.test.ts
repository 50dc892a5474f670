import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  controllerRevisions,
  type Pod,
  persistentVolumeClaims,
  pods,
  type StatefulSet,
  type StatefulSetSpec,
  type Stored,
  statefulSets,
} from "#api";
import { createWorld, namesOf, type World } from "../testing/world.ts";
import { statefulSetController } from "./controller.ts";

const at = { namespace: "default", name: "db" };

const set = (spec: Partial<StatefulSetSpec> = {}, image = "v1"): StatefulSet => ({
  metadata: at,
  spec: {
    replicas: 3,
    serviceName: "db",
    selector: { matchLabels: { app: "db" } },
    template: { metadata: { labels: { app: "db" } }, spec: { containers: [{ name: "c", image }] } },
    ...spec,
  },
});

async function start(spec: Partial<StatefulSetSpec> = {}): Promise<World> {
  const world = createWorld({ gracefulPods: true });
  world.api.put(statefulSets, set(spec));
  world.run(statefulSetController(world.context));
  await world.settle();
  return world;
}

const change = async (world: World, spec: Partial<StatefulSetSpec>, image = "v1"): Promise<void> => {
  const old = world.api.peek(statefulSets, at);
  world.api.put(statefulSets, {
    ...set(spec, image),
    metadata: { ...at, generation: (old?.metadata.generation ?? 1) + 1 },
    status: old?.status,
  });
  await world.settle();
};

function ready(world: World, name: string): void {
  const pod = world.api.peek(pods, { namespace: "default", name });
  assert.ok(pod !== undefined, `${name} is not there`);
  world.api.put(pods, {
    ...pod,
    status: { phase: "Running", conditions: [{ type: "Ready", status: "True", lastTransitionTime: "2026-01-01T00:00:00Z" }] },
  });
}

const all = (world: World): string[] => namesOf(world.api.all(pods)).sort();
const leaving = (world: World): string[] =>
  namesOf(world.api.all(pods).filter(({ metadata }) => metadata.deletionTimestamp !== undefined));
const image = (pod: Stored<Pod> | undefined): string | undefined => pod?.spec.containers[0]?.image;
const gone = async (world: World, name: string): Promise<void> => {
  world.api.remove(pods, { namespace: "default", name });
  await world.settle();
};

async function up(world: World, count = 3): Promise<void> {
  for (let i = 0; i < count; i++) {
    ready(world, `db-${i}`);
    await world.settle();
  }
}

test("pods come one after the other, each when the one before is ready, with lasting name, labels and host name", async () => {
  await using world = await start();
  assert.deepEqual(all(world), ["db-0"]);
  ready(world, "db-0");
  await world.settle();
  assert.deepEqual(all(world), ["db-0", "db-1"]);
  await world.pass(60_000);
  assert.deepEqual(all(world), ["db-0", "db-1"]);
  ready(world, "db-1");
  await world.settle();
  assert.deepEqual(all(world), ["db-0", "db-1", "db-2"]);
  const pod = world.api.peek(pods, { namespace: "default", name: "db-1" });
  assert.deepEqual(
    [
      pod?.metadata.labels?.["statefulset.kubernetes.io/pod-name"],
      pod?.metadata.labels?.["apps.kubernetes.io/pod-index"],
      pod?.spec.hostname,
      pod?.spec.subdomain,
    ],
    ["db-1", "1", "db-1", "db"],
  );
  assert.equal(pod?.metadata.labels?.["controller-revision-hash"], world.api.all(controllerRevisions)[0]?.metadata.name);
  assert.ok(world.events.includes("Normal SuccessfulCreate create Pod db-0 in StatefulSet db successful"));
});

test("Parallel starts and stops all at once", async () => {
  await using world = await start({ podManagementPolicy: "Parallel" });
  assert.deepEqual(all(world), ["db-0", "db-1", "db-2"]);
  await change(world, { podManagementPolicy: "Parallel", replicas: 1 });
  assert.deepEqual(leaving(world).sort(), ["db-1", "db-2"]);
});

test("scaling down deletes from the top, one at a time", async () => {
  await using world = await start();
  await up(world);
  await change(world, { replicas: 1 });
  assert.deepEqual(leaving(world), ["db-2"]);
  await gone(world, "db-2");
  assert.deepEqual(leaving(world), ["db-1"]);
  await gone(world, "db-1");
  assert.deepEqual([all(world), leaving(world)], [["db-0"], []]);
});

test("a lost pod comes back under its name, a failed one is deleted first", async () => {
  await using world = await start();
  await up(world);
  await gone(world, "db-1");
  assert.deepEqual(all(world), ["db-0", "db-1", "db-2"]);
  ready(world, "db-1");
  const zero = world.api.peek(pods, { namespace: "default", name: "db-0" }) as Stored<Pod>;
  world.api.put(pods, { ...zero, status: { phase: "Failed" } });
  await world.settle();
  assert.deepEqual(leaving(world), ["db-0"]);
  await gone(world, "db-0");
  assert.notEqual(world.api.peek(pods, { namespace: "default", name: "db-0" })?.metadata.uid, zero.metadata.uid);
});

test("an update goes from the top down, one at a time, and ends with one revision in use", async () => {
  await using world = await start();
  await up(world);
  await change(world, {}, "v2");
  for (const name of ["db-2", "db-1", "db-0"]) {
    assert.deepEqual(leaving(world), [name]);
    await gone(world, name);
    assert.equal(image(world.api.peek(pods, { namespace: "default", name })), "v2");
    assert.deepEqual(leaving(world), []);
    ready(world, name);
    await world.settle();
  }
  const { status } = world.api.peek(statefulSets, at) ?? {};
  assert.deepEqual(
    [status?.currentRevision === status?.updateRevision, status?.updatedReplicas, status?.readyReplicas, status?.currentReplicas],
    [true, 3, 3, 3],
  );
  assert.equal(world.api.all(controllerRevisions).length, 2);
});

test("a partition keeps the lower ordinals at the old template, also when they are lost", async () => {
  await using world = await start();
  await up(world);
  const rolling = { updateStrategy: { type: "RollingUpdate", rollingUpdate: { partition: 2 } } };
  await change(world, rolling, "v2");
  assert.deepEqual(leaving(world), ["db-2"]);
  await gone(world, "db-2");
  ready(world, "db-2");
  await world.settle();
  await gone(world, "db-0");
  ready(world, "db-0");
  await world.settle();
  assert.deepEqual(
    ["db-0", "db-1", "db-2"].map((name) => image(world.api.peek(pods, { namespace: "default", name }))),
    ["v1", "v1", "v2"],
  );
  assert.deepEqual(leaving(world), []);
});

test("OnDelete replaces only what the user deletes", async () => {
  await using world = await start({ updateStrategy: { type: "OnDelete" } });
  await up(world);
  await change(world, { updateStrategy: { type: "OnDelete" } }, "v2");
  assert.deepEqual(leaving(world), []);
  await gone(world, "db-1");
  assert.equal(image(world.api.peek(pods, { namespace: "default", name: "db-1" })), "v2");
});

test("every pod has its own claims, which outlive it", async () => {
  await using world = await start({
    replicas: 1,
    volumeClaimTemplates: [{ metadata: { name: "data" }, spec: { accessModes: ["ReadWriteOnce"] } }],
  });
  assert.deepEqual(namesOf(world.api.all(persistentVolumeClaims)), ["data-db-0"]);
  assert.deepEqual(world.api.peek(pods, { namespace: "default", name: "db-0" })?.spec.volumes, [
    { name: "data", persistentVolumeClaim: { claimName: "data-db-0", readOnly: false } },
  ]);
  await gone(world, "db-0");
  assert.deepEqual([all(world), namesOf(world.api.all(persistentVolumeClaims))], [["db-0"], ["data-db-0"]]);
});

test("never two pods of an ordinal, and never one before its predecessor is ready, whatever happens (I22)", () =>
  fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(fc.constantFrom("ready", "unready", "fail", "lose", "scale", "update", "finish"), fc.nat(4)), {
        maxLength: 25,
      }),
      async (steps) => {
        await using world = await start();
        let replicas = 3;
        let version = 1;
        let healthyBelow: (ordinal: number) => boolean = () => true;
        world.api.before = ({ method, path, body }) => {
          if (method === "POST" && path.endsWith("/pods")) {
            const name = (body as Pod).metadata.name ?? "";
            assert.equal(world.api.peek(pods, { namespace: "default", name }), undefined, `${name} twice`);
            assert.ok(healthyBelow(Number(name.slice(3))), `${name} before its predecessor was ready`);
          }
          return undefined;
        };
        healthyBelow = (ordinal) => {
          for (let i = 0; i < ordinal; i++) {
            const pod = world.api.peek(pods, { namespace: "default", name: `db-${i}` });
            if (pod?.status?.conditions?.[0]?.status !== "True") return false;
          }
          return true;
        };
        for (const [action, n] of steps) {
          const pod = world.api.peek(pods, { namespace: "default", name: `db-${n}` });
          if (action === "scale") replicas = n;
          if (action === "scale") await change(world, { replicas }, `v${version}`);
          else if (action === "update") await change(world, { replicas }, `v${++version}`);
          else if (pod === undefined) continue;
          else if (action === "ready") ready(world, `db-${n}`);
          else if (action === "unready") world.api.put(pods, { ...pod, status: { phase: "Running" } });
          else if (action === "fail") world.api.put(pods, { ...pod, status: { phase: "Failed" } });
          else if (action === "lose" || pod.metadata.deletionTimestamp !== undefined)
            world.api.remove(pods, { namespace: "default", name: `db-${n}` });
          await world.settle();
        }
        for (let round = 0; round < 40; round++) {
          for (const pod of world.api.all(pods)) {
            if (pod.metadata.deletionTimestamp !== undefined)
              world.api.remove(pods, { namespace: "default", name: pod.metadata.name });
            else if (pod.status?.phase !== "Failed") ready(world, pod.metadata.name);
          }
          await world.settle();
        }
        assert.deepEqual(
          all(world),
          Array.from({ length: replicas }, (_, i) => `db-${i}`),
        );
        assert.ok(
          world.api.all(pods).every((pod) => image(pod) === `v${version}`),
          "the update did not end",
        );
      },
    ),
    { numRuns: 6 },
  ));
