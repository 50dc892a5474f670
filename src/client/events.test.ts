import assert from "node:assert/strict";
import { test } from "node:test";
import { apiError, events as eventResource, pods } from "#api";
import { silentLog, VirtualClock } from "#base";
import { createEvents, referenceTo } from "./events.ts";
import { createClient } from "./rest-client.ts";
import { createFakeApi } from "./testing/fake-api.ts";

function start() {
  const clock = new VirtualClock({ startMs: Date.UTC(2026, 0, 1) });
  const api = createFakeApi({ clock });
  const events = createEvents({ client: createClient(api), clock, log: silentLog });
  const pod = api.put(pods, { metadata: { namespace: "shop", name: "web" }, spec: { containers: [] } });
  const recorder = events.recorder({ component: "kubelet", host: "n1" });
  const about = referenceTo(pods, pod);
  const stored = () => api.all(eventResource, "shop");
  return { clock, api, events, recorder, about, stored };
}

test("an event names its object, source, reason and times, as upstream's recorder writes them", async () => {
  const { events, recorder, about, stored } = start();
  recorder.event(about, { type: "Normal", reason: "Pulled", message: "got it" });
  await events.flush();
  const [event] = stored();
  assert.equal(event?.metadata.name, `web.${(BigInt(Date.UTC(2026, 0, 1)) * 1_000_000n).toString(16)}`);
  assert.deepEqual(
    {
      involvedObject: event?.involvedObject,
      source: event?.source,
      type: event?.type,
      reason: event?.reason,
      count: event?.count,
      last: event?.lastTimestamp,
      by: event?.reportingComponent,
    },
    {
      involvedObject: { apiVersion: "v1", kind: "Pod", namespace: "shop", name: "web", uid: "uid-1", resourceVersion: "1" },
      source: { component: "kubelet", host: "n1" },
      type: "Normal",
      reason: "Pulled",
      count: 1,
      last: "2026-01-01T00:00:00Z",
      by: "kubelet",
    },
  );
});

test("the same event again raises count and lastTimestamp of the old one", async () => {
  const { clock, events, recorder, about, stored } = start();
  for (let i = 0; i < 3; i++) {
    recorder.event(about, { type: "Warning", reason: "BackOff", message: "waiting" });
    await events.flush();
    await clock.advance(5_000);
  }
  assert.deepEqual(
    stored().map(({ count, firstTimestamp, lastTimestamp }) => [count, firstTimestamp, lastTimestamp]),
    [[3, "2026-01-01T00:00:00Z", "2026-01-01T00:00:10Z"]],
  );
});

test("an event whose object expired is written anew with its count", async () => {
  const { api, events, recorder, about, stored } = start();
  recorder.event(about, { type: "Normal", reason: "Pulled", message: "got it" });
  await events.flush();
  api.remove(eventResource, { namespace: "shop", name: stored()[0]?.metadata.name ?? "" });
  recorder.event(about, { type: "Normal", reason: "Pulled", message: "got it" });
  await events.flush();
  assert.deepEqual(
    stored().map(({ count }) => count),
    [2],
  );
});

test("the tenth different message of one reason is combined with the following ones", async () => {
  const { events, recorder, about, stored } = start();
  for (let i = 1; i <= 15; i++) recorder.event(about, { type: "Warning", reason: "Failed", message: `try ${i}` });
  await events.flush();
  assert.equal(stored().length, 10);
  assert.equal(stored().at(-1)?.message, "(combined from similar events): try 15");
  assert.equal(stored().at(-1)?.count, 6);
});

test("a flood about one object is cut after 25 events and let through again one in five minutes", async () => {
  const { clock, events, recorder, about, stored } = start();
  for (let i = 0; i < 40; i++) recorder.event(about, { type: "Normal", reason: "Tick", message: "tick" });
  await events.flush();
  assert.deepEqual(
    stored().map(({ count }) => count),
    [25],
  );
  await clock.advance(300_000);
  for (let i = 0; i < 5; i++) recorder.event(about, { type: "Normal", reason: "Tick", message: "tick" });
  await events.flush();
  assert.deepEqual(
    stored().map(({ count }) => count),
    [26],
  );
});

test("a refused event is dropped, an unreachable server is tried again", async () => {
  const { clock, api, recorder, about, stored } = start();
  let failures = 0;
  api.before = ({ method }) => {
    if (method !== "POST") return undefined;
    failures++;
    return failures === 1 ? apiError("Forbidden", "no") : failures === 2 ? apiError("ServiceUnavailable", "down") : undefined;
  };
  recorder.event(about, { type: "Normal", reason: "One", message: "1" });
  recorder.event(about, { type: "Normal", reason: "Two", message: "2" });
  await clock.advance(9_000);
  assert.deepEqual(stored(), []);
  await clock.advance(2_000);
  assert.deepEqual(
    stored().map(({ reason }) => reason),
    ["Two"],
  );
});
