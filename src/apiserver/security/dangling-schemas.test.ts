// What a flow schema says of the priority level that it names.
import assert from "node:assert/strict";
import { test } from "node:test";
import { type FlowSchema, flowSchemas, type PriorityLevelConfiguration, priorityLevelConfigurations } from "#api";
import { silentLog, VirtualClock } from "#base";
import { followFlowSchemas } from "./dangling-schemas.ts";
import { FakeObjects } from "./testing/objects.ts";

const schema = (level: string): FlowSchema => ({
  metadata: { name: "s" },
  spec: { priorityLevelConfiguration: { name: level }, matchingPrecedence: 5 },
});
const level = (name: string): PriorityLevelConfiguration => ({ metadata: { name }, spec: { type: "Exempt" } });

test("a flow schema tells whether its priority level is there, and since when", async () => {
  const objects = new FakeObjects();
  const clock = new VirtualClock();
  const conditions = async (): Promise<unknown> => {
    await new Promise(setImmediate);
    return objects.get<FlowSchema>(flowSchemas, { name: "s" })?.status?.conditions;
  };
  objects.put(flowSchemas, schema("gone"));
  using _ = followFlowSchemas({ reader: objects, writer: objects, clock, log: silentLog });
  const lacking = {
    type: "Dangling",
    status: "True",
    lastTransitionTime: "2026-01-01T00:00:00Z",
    reason: "NotFound",
    message: 'This FlowSchema references the PriorityLevelConfiguration object named "gone" but there is no such object',
  };
  assert.deepEqual(await conditions(), [lacking]);
  await clock.advance(5000);
  objects.put(priorityLevelConfigurations, level("gone"));
  assert.deepEqual(await conditions(), [
    {
      ...lacking,
      status: "False",
      lastTransitionTime: "2026-01-01T00:00:05Z",
      reason: "Found",
      message: 'This FlowSchema references the PriorityLevelConfiguration object named "gone" and it exists',
    },
  ]);
  const { writes } = objects;
  objects.put(flowSchemas, { ...schema("gone"), ...objects.get<FlowSchema>(flowSchemas, { name: "s" }) });
  await conditions();
  assert.equal(objects.writes, writes);
  objects.put(flowSchemas, schema("other"));
  assert.match(JSON.stringify(await conditions()), /"status":"True".*\\"other\\" but there is no such object/);
});
