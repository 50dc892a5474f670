import assert from "node:assert/strict";
import { test } from "node:test";
import { apiError, type ConfigMap, configMaps, pods } from "#api";
import { seededRandom, silentLog, VirtualClock } from "#base";
import { createInformerFactory } from "./informer-factory.ts";
import { createClient } from "./rest-client.ts";
import { createFakeApi } from "./testing/fake-api.ts";

const map = (name: string, value: string, namespace = "default"): ConfigMap => ({
  metadata: { namespace, name },
  data: { value },
});

function start() {
  const clock = new VirtualClock();
  const api = createFakeApi({ clock });
  const client = createClient(api);
  const factory = createInformerFactory({ client, clock, random: seededRandom(1), log: silentLog });
  const informer = factory.informer(configMaps);
  const heard: string[] = [];
  informer.addHandler({
    added: (object) => heard.push(`+${object.metadata.name}=${object.data?.["value"]}`),
    updated: (object, before) => heard.push(`~${object.metadata.name}=${before.data?.["value"]}>${object.data?.["value"]}`),
    deleted: (object) => heard.push(`-${object.metadata.name}`),
  });
  const settled = (): Promise<void> => clock.advance(0);
  return { clock, api, client, factory, informer, heard, settled };
}

test("an informer lists once, then follows the watch", async () => {
  const { api, client, factory, informer, heard } = start();
  api.put(configMaps, map("a", "1"));
  assert.equal(informer.hasSynced, false);
  factory.start();
  await factory.synced();
  const b = await client.create(configMaps, map("b", "1"));
  await client.update(configMaps, { ...b, data: { value: "2" } });
  await client.delete(configMaps, { namespace: "default", name: "a" });
  await informer.reached("4");
  assert.deepEqual(heard, ["+a=1", "+b=1", "~b=1>2", "-a"]);
  assert.deepEqual(
    api.requests.filter(({ method }) => method === "GET").map(({ query }) => [query["watch"], query["resourceVersion"]]),
    [
      [undefined, "0"],
      ["true", "1"],
    ],
  );
  await factory[Symbol.asyncDispose]();
});

test("a watch that the server ends is resumed from the last resourceVersion, without another list", async () => {
  const { clock, api, client, factory, informer, heard } = start();
  factory.start();
  await factory.synced();
  await client.create(configMaps, map("a", "1"));
  await informer.reached("1");
  await clock.advance(300_000);
  api.endWatches();
  api.put(configMaps, map("b", "1"));
  await clock.advance(10_000);
  assert.deepEqual(heard, ["+a=1", "+b=1"]);
  assert.equal(api.requests.filter(({ method, query }) => method === "GET" && query["watch"] === undefined).length, 1);
  await factory[Symbol.asyncDispose]();
});

test("410 leads to a list from the store, and what was missed is told as events", async () => {
  const { clock, api, client, factory, informer, heard } = start();
  for (const name of ["a", "b", "c"]) api.put(configMaps, map(name, "1"));
  factory.start();
  await factory.synced();
  await clock.advance(60_000);
  heard.length = 0;
  api.before = () => apiError("ServiceUnavailable", "down");
  api.endWatches();
  await clock.advance(10_000);
  api.remove(configMaps, { namespace: "default", name: "a" });
  api.put(configMaps, map("b", "2"));
  api.remove(configMaps, { namespace: "default", name: "c" });
  api.put(configMaps, map("c", "other object"));
  api.compact();
  api.before = () => undefined;
  await clock.advance(70_000);
  assert.deepEqual(heard, ["-a", "~b=1>2", "-c", "+c=other object"]);
  assert.equal(informer.resourceVersion, "7");
  await client.create(configMaps, map("d", "1"));
  await informer.reached("8");
  assert.equal(heard.at(-1), "+d=1");
  await factory[Symbol.asyncDispose]();
});

test("an unreachable server is asked with growing pauses of at most a minute", async () => {
  const { clock, api, factory } = start();
  const askedAt: number[] = [];
  api.before = () => {
    askedAt.push(clock.monotonic());
    throw new Error("connection refused");
  };
  factory.start();
  await clock.advance(300_000);
  const pauses = askedAt.slice(1).map((at, index) => at - (askedAt[index] ?? 0));
  assert.ok((pauses[0] ?? 0) >= 800 && (pauses[0] ?? 0) <= 1600, `first pause ${pauses[0]}`);
  assert.ok(pauses.every((pause) => pause <= 60_000));
  assert.ok(pauses.length >= 6 && pauses.length < 20, `${pauses.length} pauses`);
  await factory[Symbol.asyncDispose]();
});

test("reached() waits for a write of another resource's making no longer than the watch needs", async () => {
  const { api, client, factory, informer, settled } = start();
  factory.start();
  await factory.synced();
  let seen = false;
  const written = await client.create(configMaps, map("a", "1"));
  const wait = informer.reached(written.metadata.resourceVersion).then(() => {
    seen = true;
    assert.equal(informer.get("default/a")?.data?.["value"], "1");
  });
  await settled();
  await wait;
  assert.ok(seen);
  const abort = new AbortController();
  const never = informer.reached("999", abort.signal);
  abort.abort(new Error("gave up"));
  await assert.rejects(never, /gave up/);
  api.endWatches();
  await factory[Symbol.asyncDispose]();
});

test("indexes follow changes; namespace and owner exist without being asked for", async () => {
  const { api, client, factory, informer } = start();
  informer.addIndex("value", (object) => [object.data?.["value"] ?? ""]);
  const owner = [{ apiVersion: "v1", kind: "Pod", name: "p", uid: "u1", controller: true }];
  api.put(configMaps, { ...map("a", "x"), metadata: { namespace: "one", name: "a", ownerReferences: owner } });
  api.put(configMaps, map("b", "x", "two"));
  factory.start();
  await factory.synced();
  const names = (index: string, value: string) => informer.byIndex(index, value).map(({ metadata }) => metadata.name);
  assert.deepEqual(names("value", "x"), ["a", "b"]);
  assert.deepEqual(names("namespace", "two"), ["b"]);
  assert.deepEqual(names("owner", "u1"), ["a"]);
  const b = informer.get("two/b");
  assert.ok(b !== undefined);
  await client.update(configMaps, { ...b, data: { value: "y" } });
  await informer.reached("3");
  assert.deepEqual([names("value", "x"), names("value", "y")], [["a"], ["b"]]);
  assert.throws(() => informer.byIndex("nope", "x"), /never added/);
  await factory[Symbol.asyncDispose]();
});

test("a handler added later hears what is there, and nothing once disposed", async () => {
  const { api, client, factory, informer } = start();
  api.put(configMaps, map("a", "1"));
  factory.start();
  await factory.synced();
  const heard: string[] = [];
  const handler = informer.addHandler({ added: ({ metadata }) => heard.push(metadata.name) });
  assert.deepEqual(heard, ["a"]);
  handler[Symbol.dispose]();
  await client.create(configMaps, map("b", "1"));
  await informer.reached("2");
  assert.deepEqual(heard, ["a"]);
  await factory[Symbol.asyncDispose]();
});

test("two who ask for the same resource share one list and watch; another selection has its own", async () => {
  const { api, factory, informer } = start();
  assert.equal(factory.informer(configMaps), informer);
  assert.notEqual(factory.informer(configMaps, { labelSelector: "a=b" }) as unknown, informer);
  factory.start();
  const late = factory.informer(pods);
  await late.synced;
  await factory.synced();
  assert.equal(api.requests.filter(({ query }) => query["watch"] === undefined).length, 3);
  await factory[Symbol.asyncDispose]();
});
