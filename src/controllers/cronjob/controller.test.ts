import assert from "node:assert/strict";
import { test } from "node:test";
import { type CronJobSpec, cronJobs, type Job, jobs, type Stored } from "#api";
import { createWorld, namesOf, type World } from "../testing/world.ts";
import { cronJobController } from "./controller.ts";

const at = { namespace: "default", name: "tick" };
const minute = (n: number): string => `tick-${Math.floor(Date.UTC(2026, 0, 1) / 60_000) + n}`;

async function start(spec: Partial<CronJobSpec> = {}): Promise<World> {
  const world = createWorld();
  const jobTemplate = {
    metadata: { labels: { a: "b" } },
    spec: { template: { spec: { containers: [{ name: "c", image: "i" }] } } },
  };
  world.api.put(cronJobs, { metadata: at, spec: { schedule: "* * * * *", jobTemplate, ...spec } });
  world.run(cronJobController(world.context));
  await world.settle();
  return world;
}

function finish(world: World, job: Stored<Job> | undefined, type: "Complete" | "Failed"): void {
  const now = new Date(world.clock.now()).toISOString();
  if (job !== undefined)
    world.api.put(jobs, { ...job, status: { startTime: now, completionTime: now, conditions: [{ type, status: "True" }] } });
}

const active = (world: World): string[] => (world.api.peek(cronJobs, at)?.status?.active ?? []).map(({ name }) => name ?? "");

test("a Job starts at every scheduled minute, named after it, and is listed as active", async () => {
  await using world = await start();
  await world.pass(59_000);
  assert.deepEqual(world.api.all(jobs), []);
  await world.pass(70_000);
  assert.deepEqual(namesOf(world.api.all(jobs)), [minute(1), minute(2)]);
  assert.deepEqual(active(world), [minute(1), minute(2)]);
  const [job] = world.api.all(jobs);
  assert.deepEqual(
    [job?.metadata.labels, job?.metadata.annotations],
    [{ a: "b" }, { "batch.kubernetes.io/cronjob-scheduled-timestamp": "2026-01-01T00:01:00Z" }],
  );
  assert.equal(world.api.peek(cronJobs, at)?.status?.lastScheduleTime, "2026-01-01T00:02:00Z");
});

test("Forbid starts none while one runs, and says so", async () => {
  await using world = await start({ concurrencyPolicy: "Forbid" });
  await world.pass(130_000);
  assert.deepEqual(namesOf(world.api.all(jobs)), [minute(1)]);
  assert.ok(
    world.events.includes(
      "Normal JobAlreadyActive Not starting job because prior execution is running and concurrency policy is Forbid",
    ),
  );
  finish(world, world.api.all(jobs)[0], "Complete");
  await world.pass(60_000);
  assert.equal(active(world).length, 1);
  assert.ok(world.events.includes(`Normal SawCompletedJob Saw completed job: ${minute(1)}, condition: Complete`));
});

test("Replace stops the running one", async () => {
  await using world = await start({ concurrencyPolicy: "Replace" });
  await world.pass(130_000);
  assert.deepEqual(namesOf(world.api.all(jobs)), [minute(2)]);
  assert.deepEqual(active(world), [minute(2)]);
});

test("a suspended CronJob starts nothing", async () => {
  await using world = await start({ suspend: true });
  await world.pass(300_000);
  assert.deepEqual(world.api.all(jobs), []);
});

test("finished Jobs beyond the history limits are deleted, oldest first", async () => {
  await using world = await start({ successfulJobsHistoryLimit: 2, failedJobsHistoryLimit: 0 });
  for (let i = 1; i <= 4; i++) {
    await world.pass(60_500);
    finish(
      world,
      world.api.all(jobs).find(({ status }) => status === undefined),
      i === 3 ? "Failed" : "Complete",
    );
    await world.settle();
  }
  assert.deepEqual(namesOf(world.api.all(jobs)), [minute(2), minute(4)]);
});

test("after a long pause only the latest missed time is made up for, unless its deadline is over", async () => {
  for (const [deadline, want] of [
    [undefined, 1],
    [5, 0],
  ] as const) {
    const world = createWorld();
    const jobTemplate = { spec: { template: { spec: { containers: [] } } } };
    world.api.put(cronJobs, { metadata: at, spec: { schedule: "0 * * * *", startingDeadlineSeconds: deadline, jobTemplate } });
    await world.clock.advance(200 * 3_600_000 + 60_000);
    world.run(cronJobController(world.context));
    await world.settle();
    assert.equal(world.api.all(jobs).length, want);
    if (deadline === undefined) {
      assert.deepEqual(namesOf(world.api.all(jobs)), [minute(200 * 60)]);
      assert.ok(world.events.some((event) => event.startsWith("Warning TooManyMissedTimes")));
    }
    await world[Symbol.asyncDispose]();
  }
});

test("an unreadable schedule is an event, and nothing starts", async () => {
  await using world = await start({ schedule: "nonsense" });
  assert.deepEqual(world.events, [
    'Warning UnparseableSchedule unparseable schedule: "nonsense" : expected exactly 5 fields, found 1: [nonsense]',
  ]);
});
