// An API server on a store that others write to as well: its reads are up to date, and it says when the store is away.
import assert from "node:assert/strict";
import { test } from "node:test";
import { seededRandom, silentLog, systemFiles } from "#base";
import { type Store, StoreError, type WatchBatch } from "#store";
import { newServiceAccountKey } from "../security/mod.ts";
import { startApiServer } from "../start.ts";
import { admin, type TestServer, testServer } from "../testing/server.ts";

/** `inner` as another process sees it: watches lag behind until they are let go, and it may not answer at all. */
function remote(inner: Store) {
  const held: (() => void)[] = [];
  const state = { holding: false, heard: inner.revision, failure: undefined as Error | undefined };
  const store: Store = {
    get revision() {
      return state.heard;
    },
    currentRevision: async () => {
      if (state.failure !== undefined) throw state.failure;
      return inner.revision;
    },
    get: (key, revision) => inner.get(key, revision),
    range: (key, options) => inner.range(key, options),
    transact: (transaction) => inner.transact(transaction),
    watch: (request, deliver) =>
      inner.watch(request, (batch: WatchBatch) => {
        const tell = (): void => {
          state.heard = batch.revision;
          deliver(batch);
        };
        if (state.holding) held.push(tell);
        else tell();
      }),
    compact: (revision) => inner.compact(revision),
    grantLease: (seconds, id) => inner.grantLease(seconds, id),
    keepLeaseAlive: (id) => inner.keepLeaseAlive(id),
    revokeLease: (id) => inner.revokeLease(id),
    lease: (id) => inner.lease(id),
    leases: () => inner.leases(),
    status: () => inner.status(),
    [Symbol.asyncDispose]: async () => {},
  };
  const letGo = (): void => {
    state.holding = false;
    for (const tell of held.splice(0)) tell();
  };
  return { store, state, letGo };
}

async function second(first: TestServer, store: Store) {
  const server = await startApiServer(
    { listen: false, skipBootstrap: true, serviceAccountKey: await newServiceAccountKey() },
    { store, clock: first.clock, random: seededRandom(2), files: systemFiles, log: silentLog },
  );
  const get = async (path: string, query: Record<string, string> = {}) =>
    // biome-ignore lint/suspicious/noExplicitAny: tests look into objects of every kind
    (await server.handle({ method: "GET", path, query, user: admin, userAgent: "test" })) as { code: number; object: any };
  return { get, [Symbol.asyncDispose]: () => server[Symbol.asyncDispose]() };
}

const path = "/api/v1/namespaces/default/configmaps";

test("what one API server has acknowledged, another shows to whoever reads after that", async () => {
  await using first = await testServer();
  const { store, state, letGo } = remote(first.store);
  await using other = await second(first, store);
  state.holding = true;
  const made = await first.call("POST", path, { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "a" } });
  assert.equal(made.code, 201);
  assert.equal(
    (await other.get(`${path}/a`, { resourceVersion: "0" })).code,
    404,
    "any revision will do, and it has not heard yet",
  );
  const [got, listed] = [other.get(`${path}/a`), other.get(path)];
  setImmediate(letGo);
  assert.equal((await got).object.metadata.uid, made.object.metadata.uid);
  assert.deepEqual(
    (await listed).object.items.map((each: { metadata: { name: string } }) => each.metadata.name),
    ["a"],
  );
});

test("a read whose cache does not hear in time is answered by the store; a revision asked for by number runs out of time", async () => {
  await using first = await testServer();
  const { store, state, letGo } = remote(first.store);
  await using other = await second(first, store);
  state.holding = true;
  const made = await first.call("POST", path, {
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: { name: "a", labels: { l: "x" } },
  });
  const { resourceVersion } = made.object.metadata;
  const reads = [
    other.get(`${path}/a`),
    other.get(path),
    other.get(path, { labelSelector: "l=y" }),
    other.get(`${path}/b`),
    other.get(path, { resourceVersion }),
  ];
  await first.clock.advance(3_000);
  const [got, listed, none, absent, late] = await Promise.all(reads);
  assert.equal(got?.object.metadata.resourceVersion, resourceVersion);
  assert.deepEqual(
    [
      listed?.object.metadata.resourceVersion,
      listed?.object.items.map((each: { metadata: { name: string } }) => each.metadata.name),
    ],
    [resourceVersion, ["a"]],
  );
  assert.deepEqual(none?.object.items, []);
  assert.equal(absent?.code, 404);
  assert.deepEqual([late?.code, late?.object.details.causes[0].reason], [504, "ResourceVersionTooLarge"]);
  letGo();
});

test("while the store is away, reads say so in etcd's words, the server is not ready, and lives", async () => {
  await using first = await testServer();
  const { store, state } = remote(first.store);
  await using other = await second(first, store);
  state.failure = new StoreError("unavailable", "etcdserver: request timed out");
  const failed = await other.get(path);
  assert.deepEqual([failed.code, failed.object.message, failed.object.reason], [500, "etcdserver: request timed out", undefined]);
  state.failure = new StoreError("unavailable", "context deadline exceeded");
  const late = await other.get(path);
  assert.deepEqual(
    [late.code, late.object.message, late.object.reason],
    [504, "Timeout: request did not complete within requested timeout - context deadline exceeded", "Timeout"],
  );
  assert.match(JSON.stringify((await other.get("/readyz")).object), /\[-\]etcd failed: reason withheld/);
  assert.equal((await other.get("/readyz")).code, 500);
  assert.equal((await other.get("/livez")).code, 200);
  state.failure = undefined;
  assert.equal((await other.get("/readyz")).code, 200);
});

test("a stored value that nobody can read does not keep the server from starting, nor the others from being served", async () => {
  await using first = await testServer();
  await first.call("POST", path, { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "good" } });
  const bad = ["k8s\0nonsense", "{", "k8s\0"].map((text, i) => ({
    kind: "put" as const,
    key: `/registry/configmaps/default/bad-${i}`,
    value: Buffer.from(text),
  }));
  await first.store.transact({ if: [], then: bad });
  await using other = await second(first, remote(first.store).store);
  for (const get of [other.get, (where: string) => first.call("GET", where)]) {
    const { object } = await get(path);
    assert.deepEqual(
      object.items.map((each: { metadata: { name: string } }) => each.metadata.name),
      ["good"],
    );
  }
});
