import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { type Job, type JobSpec, jobs, type Pod, pods, type Stored } from "#api";
import { createWorld, type World } from "../testing/world.ts";
import { jobController } from "./controller.ts";
import { formatIndexes, parseIndexes } from "./indexes.ts";

const at = { namespace: "default", name: "work" };

const job = (spec: Partial<JobSpec>): Job => ({
  metadata: at,
  spec: {
    completions: 1,
    parallelism: 1,
    backoffLimit: 6,
    selector: { matchLabels: { "job-name": "work" } },
    template: {
      metadata: { labels: { "job-name": "work" } },
      spec: { restartPolicy: "Never", containers: [{ name: "c", image: "i" }] },
    },
    ...spec,
  },
});

async function start(spec: Partial<JobSpec>): Promise<World> {
  const world = createWorld();
  world.api.put(jobs, job(spec));
  world.run(jobController(world.context));
  await world.settle();
  return world;
}

const running = (world: World): readonly Stored<Pod>[] =>
  world.api
    .all(pods)
    .filter(
      ({ status, metadata }) =>
        metadata.deletionTimestamp === undefined && status?.phase !== "Succeeded" && status?.phase !== "Failed",
    );
const status = (world: World) => world.api.peek(jobs, at)?.status;
const conditions = (world: World): string[] =>
  (status(world)?.conditions ?? []).filter((one) => one.status === "True").map(({ type, reason }) => `${type} ${reason}`);

function finish(
  world: World,
  pod: Stored<Pod> | undefined,
  phase: "Succeeded" | "Failed",
  exitCode = phase === "Failed" ? 1 : 0,
): void {
  const containerStatuses = [
    { name: "c", image: "i", imageID: "", ready: false, restartCount: 0, state: { terminated: { exitCode } } },
  ];
  if (pod !== undefined) world.api.put(pods, { ...pod, status: { phase, containerStatuses } });
}

test("a Job runs its pods in parallel until enough succeeded, counts each, and lets them go", async () => {
  await using world = await start({ completions: 5, parallelism: 2 });
  for (let done = 0; done < 5; done++) {
    assert.equal(running(world).length, Math.min(2, 5 - done));
    finish(world, running(world)[0], "Succeeded");
    await world.settle();
    await world.settle();
  }
  assert.deepEqual(conditions(world), ["SuccessCriteriaMet CompletionsReached", "Complete CompletionsReached"]);
  assert.equal(status(world)?.succeeded, 5);
  assert.equal(status(world)?.completionTime, "2026-01-01T00:00:00Z");
  assert.ok(world.api.all(pods).every(({ metadata }) => (metadata.finalizers ?? []).length === 0));
  assert.equal(world.api.all(pods).length, 5);
});

test("a failed pod is replaced after 10 s, then 20 s, and at the limit the Job fails", async () => {
  await using world = await start({ backoffLimit: 2 });
  finish(world, running(world)[0], "Failed");
  await world.pass(9_000);
  assert.equal(running(world).length, 0);
  await world.pass(2_000);
  assert.equal(running(world).length, 1);
  finish(world, running(world)[0], "Failed");
  await world.pass(19_000);
  assert.equal(running(world).length, 0);
  await world.pass(2_000);
  finish(world, running(world)[0], "Failed");
  await world.settle();
  assert.deepEqual(conditions(world), ["FailureTarget BackoffLimitExceeded", "Failed BackoffLimitExceeded"]);
  assert.deepEqual(
    [status(world)?.failed, status(world)?.conditions?.at(-1)?.message],
    [3, "Job has reached the specified backoff limit"],
  );
  assert.equal(world.api.all(pods).length, 3);
});

test("an indexed Job completes every index once, with index in name, annotation, label and environment", async () => {
  await using world = await start({ completions: 3, parallelism: 3, completionMode: "Indexed" });
  const [first] = running(world);
  assert.match(first?.metadata.name ?? "", /^work-0-/);
  assert.equal(first?.metadata.annotations?.["batch.kubernetes.io/job-completion-index"], "0");
  assert.deepEqual(
    first?.spec.containers[0]?.env?.map(({ name }) => name),
    ["JOB_COMPLETION_INDEX"],
  );
  finish(world, running(world)[1], "Succeeded");
  await world.settle();
  assert.equal(status(world)?.completedIndexes, "1");
  for (const pod of running(world)) finish(world, pod, "Succeeded");
  await world.settle();
  assert.equal(status(world)?.completedIndexes, "0-2");
  assert.deepEqual(conditions(world).at(-1), "Complete CompletionsReached");
});

test("suspending deletes the pods without counting them, resuming starts anew", async () => {
  await using world = await start({ parallelism: 2, completions: 2 });
  world.api.put(jobs, { ...job({ parallelism: 2, completions: 2, suspend: true }), status: status(world) });
  await world.settle();
  assert.equal(world.api.all(pods).length, 0);
  assert.deepEqual(
    [conditions(world), status(world)?.failed, status(world)?.startTime],
    [["Suspended JobSuspended"], undefined, undefined],
  );
  world.api.put(jobs, { ...job({ parallelism: 2, completions: 2, suspend: false }), status: status(world) });
  await world.settle();
  assert.equal(running(world).length, 2);
  assert.deepEqual(
    world.events.filter((event) => /Suspended|Resumed/.test(event)),
    ["Normal Suspended Job suspended", "Normal Resumed Job resumed"],
  );
});

test("a Job that is active longer than its deadline fails and its pods are deleted", async () => {
  await using world = await start({ activeDeadlineSeconds: 30 });
  await world.pass(29_000);
  assert.equal(running(world).length, 1);
  await world.pass(3_000);
  assert.equal(world.api.all(pods).length, 0);
  assert.deepEqual(conditions(world), ["FailureTarget DeadlineExceeded", "Failed DeadlineExceeded"]);
});

test("podFailurePolicy ends the Job at once, ignores a disruption, and counts the rest", async () => {
  const podFailurePolicy = {
    rules: [
      { action: "FailJob", onExitCodes: { operator: "In", values: [42] } },
      { action: "Ignore", onPodConditions: [{ type: "DisruptionTarget", status: "True" }] },
    ],
  };
  await using world = await start({ podFailurePolicy, backoffLimit: 0 });
  const [pod] = running(world);
  world.api.put(pods, {
    ...pod,
    metadata: pod?.metadata ?? {},
    spec: pod?.spec ?? { containers: [] },
    status: { phase: "Failed", conditions: [{ type: "DisruptionTarget", status: "True" }] },
  });
  await world.pass(11_000);
  assert.deepEqual([status(world)?.failed, running(world).length], [undefined, 1]);
  finish(world, running(world)[0], "Failed", 42);
  await world.settle();
  assert.deepEqual(conditions(world).at(-1), "Failed PodFailurePolicy");
  assert.match(
    status(world)?.conditions?.at(-1)?.message ?? "",
    /^Container c for pod default\/work-\d+ failed with exit code 42 matching FailJob rule at index 0$/,
  );
});

test("backoffLimitPerIndex fails single indexes and the Job only at the end", async () => {
  await using world = await start({
    completions: 2,
    parallelism: 2,
    completionMode: "Indexed",
    backoffLimitPerIndex: 0,
    backoffLimit: undefined,
  });
  finish(world, running(world)[0], "Failed");
  await world.pass(11_000);
  assert.equal(status(world)?.failedIndexes, "0");
  assert.equal(running(world).length, 1);
  finish(world, running(world)[0], "Succeeded");
  await world.settle();
  assert.deepEqual(conditions(world).at(-1), "Failed FailedIndexes");
  assert.equal(status(world)?.completedIndexes, "1");
});

test("the pods of a deleted Job lose their finalizer", async () => {
  await using world = await start({});
  world.api.remove(jobs, at);
  await world.settle();
  assert.ok(world.api.all(pods).every(({ metadata }) => (metadata.finalizers ?? []).length === 0));
});

test("indexes are written as ranges and read back", () =>
  fc.assert(
    fc.property(fc.uniqueArray(fc.nat(50)), (indexes) => {
      const sorted = [...indexes].sort((a, b) => a - b);
      assert.deepEqual([...parseIndexes(formatIndexes(indexes))], sorted);
    }),
  ));

test("whatever answers are lost, every pod is counted once, active pods never exceed parallelism, and the Job completes (I24)", () =>
  fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 4 }),
      fc.integer({ min: 1, max: 3 }),
      fc.boolean(),
      fc.array(fc.nat(99), { maxLength: 30 }),
      async (completions, parallelism, indexed, dice) => {
        await using world = createWorld();
        let roll = 0;
        let faulty = true;
        const unlucky = (): boolean => faulty && (dice[roll++ % Math.max(1, dice.length)] ?? 99) < 15;
        world.api.after = ({ method }) => {
          if (method !== "GET" && unlucky()) throw new Error("connection reset");
        };
        world.api.put(
          jobs,
          job({ completions, parallelism, backoffLimit: 1000, ...(indexed ? { completionMode: "Indexed" } : {}) }),
        );
        world.run(jobController(world.context));
        let failures = 0;
        for (let step = 0; step < 60 && conditions(world).length === 0; step++) {
          await world.pass(11_000);
          assert.ok(running(world).length <= parallelism, `${running(world).length} active, ${parallelism} allowed`);
          const [pod] = running(world);
          if (pod === undefined) continue;
          const fails = (dice[step % Math.max(1, dice.length)] ?? 99) < 10 && failures < 5;
          if (fails) failures++;
          finish(world, pod, fails ? "Failed" : "Succeeded");
          if (step > 40) faulty = false;
        }
        faulty = false;
        await world.pass(60_000);
        assert.deepEqual(conditions(world).at(-1), "Complete CompletionsReached");
        assert.deepEqual([status(world)?.succeeded, status(world)?.failed ?? 0], [completions, failures]);
      },
    ),
    { numRuns: 6 },
  ));
