// A thousand clients watch pods over HTTPS: the store below has one watch, and every one of them gets every event.
import assert from "node:assert/strict";
import { test } from "node:test";
import { pods, serviceAccounts } from "#api";
import { ensurePki } from "#apiserver";
import { silentLog, systemClock, systemFiles, systemRandom } from "#base";
import type { WatchEvent } from "#client";
import { Scratch } from "../store/support/scratch.ts";
import { startApiServerProcess } from "../support/api-server.ts";

const watches = 1_000;
const namespace = "default";
/** By turns: everything, a namespace, a label, a field. */
const selections = [{}, { namespace }, { labelSelector: "app=web" }, { fieldSelector: "metadata.name=one" }];

test(`${watches} client watches on pods are one watch of the store, and all ${watches} get the events`, async () => {
  using scratch = new Scratch("fanout", { inMemory: true });
  const deps = { files: systemFiles, clock: systemClock, random: systemRandom, log: silentLog };
  const pki = await ensurePki(`${scratch.path}/pki`, { ...deps, serverNames: ["127.0.0.1"] });
  await using server = await startApiServerProcess(scratch.path, "server", pki, [`--store-directory=${scratch.path}/store`]);
  const { client } = server;
  const metric = async (name: string): Promise<number> => {
    const { body } = await server.text("/metrics");
    return Number(
      body
        .split("\n")
        .find((line) => line.startsWith(`${name} `))
        ?.slice(name.length) ?? Number.NaN,
    );
  };
  const watchesOfStore = (): Promise<number> => metric("etcd_debugging_mvcc_watcher_total");
  const sent = (): Promise<number> => metric('apiserver_watch_events_total{group="",resource="pods",version="v1"}');

  // no controller makes it here, and pods need it
  await client.create(serviceAccounts, { metadata: { namespace, name: "default" } });
  const before = await watchesOfStore();
  const { resourceVersion } = (await client.list(pods)).metadata;
  const stop = new AbortController();
  const open = Array.from({ length: watches }, (_, index) =>
    client
      .watch(pods, { ...selections[index % selections.length], resourceVersion, signal: stop.signal })
      [Symbol.asyncIterator](),
  );
  /** What each watch gets next, in one word for all if all get the same. */
  const next = async (): Promise<string[]> => {
    const results = await Promise.all(open.map((watch) => watch.next()));
    return [...new Set(results.map(({ done, value }) => (done === true ? "the end" : wordsOf(value))))];
  };
  try {
    const added = next();
    const labels = { app: "web" };
    const spec = { containers: [{ name: "a", image: "nginx" }] };
    await client.create(pods, { metadata: { namespace, name: "one", labels }, spec });
    assert.deepEqual(await added, ["ADDED one"]);
    // they are all open: each has had an event, and none has ended
    assert.equal(await sent(), watches);
    assert.equal(await watchesOfStore(), before);
    assert.equal(before, 1);

    const modified = next();
    const body = { metadata: { annotations: { seen: "by all" } } };
    await client.patch(pods, { namespace, name: "one" }, { type: "merge", body });
    assert.deepEqual(await modified, ["MODIFIED one"]);
    assert.equal(await sent(), 2 * watches);
  } finally {
    stop.abort();
  }
});

const wordsOf = (event: WatchEvent<object & { readonly metadata: { readonly name: string } }>): string =>
  event.type === "BOOKMARK" ? event.type : `${event.type} ${event.object.metadata.name}`;
