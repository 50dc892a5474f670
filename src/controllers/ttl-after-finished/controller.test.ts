import assert from "node:assert/strict";
import { test } from "node:test";
import { type Job, jobs } from "#api";
import { createWorld, namesOf } from "../testing/world.ts";
import { ttlAfterFinishedController } from "./controller.ts";

const job = (name: string, ttl: number | undefined, type?: string): Job => ({
  metadata: { namespace: "a", name },
  spec: { ttlSecondsAfterFinished: ttl, template: {} },
  ...(type === undefined
    ? {}
    : { status: { conditions: [{ type, status: "True", lastTransitionTime: "2026-01-01T00:00:00Z" }] } }),
});

test("finished Jobs go when their time to live is over, others stay", async () => {
  await using world = createWorld();
  for (const one of [
    job("now", 0, "Complete"),
    job("later", 60, "Failed"),
    job("ever", undefined, "Complete"),
    job("running", 0),
  ])
    world.api.put(jobs, one);
  world.run(ttlAfterFinishedController(world.context));
  await world.settle();
  const left = (): string[] => namesOf(world.api.all(jobs).filter(({ metadata }) => metadata.deletionTimestamp === undefined));
  assert.deepEqual(left(), ["later", "ever", "running"]);
  await world.pass(61_000);
  assert.deepEqual(left(), ["ever", "running"]);
});
