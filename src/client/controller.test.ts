import assert from "node:assert/strict";
import { test } from "node:test";
import { configMaps, pods } from "#api";
import { seededRandom, silentLog, VirtualClock } from "#base";
import { type Controller, runController, watchFor, watchOwned } from "./controller.ts";
import { createInformerFactory } from "./informer-factory.ts";
import { createClient } from "./rest-client.ts";
import { createFakeApi } from "./testing/fake-api.ts";

async function start(controller: Pick<Controller, "reconcile" | "workers">) {
  const clock = new VirtualClock();
  const api = createFakeApi({ clock });
  const client = createClient(api);
  const factory = createInformerFactory({ client, clock, random: seededRandom(1), log: silentLog });
  const informer = factory.informer(configMaps);
  const owned = factory.informer(pods);
  const running = runController(
    { name: "test-controller", sources: [watchFor(informer), watchOwned(owned, configMaps)], ...controller },
    { clock, log: silentLog },
  );
  assert.match(running.ready() ?? "", /test-controller waits for its first list of configmaps/);
  factory.start();
  await factory.synced();
  return { clock, api, client, factory, running };
}

test("many events of one key in one turn become one reconcile", async () => {
  const seen: string[] = [];
  const { clock, api, running, factory } = await start({ reconcile: async (key) => void seen.push(key) });
  for (let i = 0; i < 50; i++) api.put(configMaps, { metadata: { namespace: "default", name: "a" }, data: { i: String(i) } });
  await clock.advance(10);
  assert.ok(seen.length >= 1 && seen.length <= 2, `${seen.length} reconciles`);
  await running[Symbol.asyncDispose]();
  await factory[Symbol.asyncDispose]();
});

test("a reconcile that throws is tried again with backoff until it succeeds", async () => {
  const clockTimes: number[] = [];
  const world: { clock?: VirtualClock } = {};
  const { clock, api, running, factory } = await start({
    reconcile: async () => {
      clockTimes.push(world.clock?.monotonic() ?? 0);
      if (clockTimes.length < 4) throw new Error("not yet");
    },
  });
  world.clock = clock;
  api.put(configMaps, { metadata: { namespace: "default", name: "a" } });
  for (let turns = 0; turns < 5; turns++) await clock.advance(0);
  for (let step = 0; step < 10; step++) for (let ms = 0; ms < 5; ms++) await clock.advance(ms === 0 ? 5 : 0);
  await clock.advance(1000);
  assert.deepEqual(clockTimes, [0, 5, 15, 35]);
  await running[Symbol.asyncDispose]();
  await factory[Symbol.asyncDispose]();
});

test("requeueAfterMs looks again then, and not earlier", async () => {
  let runs = 0;
  const { clock, api, running, factory } = await start({
    reconcile: async () => (++runs === 1 ? { requeueAfterMs: 60_000 } : undefined),
  });
  api.put(configMaps, { metadata: { namespace: "default", name: "a" } });
  for (let turns = 0; turns < 5; turns++) await clock.advance(0);
  await clock.advance(59_000);
  assert.equal(runs, 1);
  await clock.advance(2_000);
  await clock.advance(0);
  assert.equal(runs, 2);
  await running[Symbol.asyncDispose]();
  await factory[Symbol.asyncDispose]();
});

test("an owned object enqueues its controlling owner, before and after a change of owners", async () => {
  const seen: string[] = [];
  const { clock, api, running, factory } = await start({ reconcile: async (key) => void seen.push(key) });
  const owner = (name: string) => [{ apiVersion: "v1", kind: "ConfigMap", name, uid: name, controller: true }];
  const metadata = { namespace: "default", name: "p" };
  api.put(pods, { metadata: { ...metadata, ownerReferences: owner("one") }, spec: { containers: [] } });
  await clock.advance(10);
  api.put(pods, { metadata: { ...metadata, ownerReferences: owner("two") }, spec: { containers: [] } });
  await clock.advance(10);
  assert.deepEqual(seen, ["default/one", "default/two", "default/one"]);
  await running[Symbol.asyncDispose]();
  await factory[Symbol.asyncDispose]();
});

test("stopping waits for the reconcile under way and starts no other", async () => {
  const gate = Promise.withResolvers<void>();
  let aborted = false;
  let runs = 0;
  const { clock, api, running, factory } = await start({
    workers: 1,
    reconcile: async (_key, signal) => {
      runs++;
      await gate.promise;
      aborted = signal.aborted;
    },
  });
  api.put(configMaps, { metadata: { namespace: "default", name: "a" } });
  api.put(configMaps, { metadata: { namespace: "default", name: "b" } });
  await clock.advance(10);
  const stopped = running[Symbol.asyncDispose]();
  gate.resolve();
  await stopped;
  assert.deepEqual({ aborted, runs }, { aborted: true, runs: 1 });
  await factory[Symbol.asyncDispose]();
});
