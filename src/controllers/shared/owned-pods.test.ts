// Creating and deleting pods of an owner: what the events say, and what counts afterwards.
import assert from "node:assert/strict";
import { test } from "node:test";
import { apiError, notFound, type Pod, pods } from "#api";
import { createWorld } from "../testing/world.ts";
import { type PodWords, PodWrites } from "./owned-pods.ts";

const key = "default/web";
const about = { kind: "ReplicaSet", namespace: "default", name: "web" };
const pod: Pod = { metadata: { name: "web-1", namespace: "default" }, spec: { containers: [] } };
const { signal } = new AbortController();

async function writes(words?: PodWords) {
  const world = createWorld();
  const { client, context, events, api } = world;
  const informer = context.informers.informer(pods);
  const stored = api.put(pods, pod);
  return { world, api, events, stored, writes: new PodWrites({ informer, client, events: context.events, words }) };
}

test("what was deleted is leaving, whether or not the cache shows it, and an event says so", async () => {
  const { stored, events, writes: all } = await writes();
  assert.deepEqual(all.split(key, [stored]), { living: [stored], leaving: [] });
  await all.remove(key, stored, about, signal);
  const { living, leaving } = all.split(key, [stored]);
  assert.deepEqual([living, leaving.map(({ metadata }) => metadata.deletionTimestamp !== undefined)], [[], [true]]);
  assert.deepEqual(events, ["Normal SuccessfulDelete Deleted pod: web-1"]);
});

test("a refused deletion leaves the pod counted, with an event; a pod that is gone already is no failure", async () => {
  const { api, stored, events, writes: all } = await writes();
  api.before = () => apiError("Forbidden", "no");
  await assert.rejects(all.remove(key, stored, about, signal), /no/);
  assert.deepEqual(all.split(key, [stored]).living, [stored]);
  assert.deepEqual(events, ["Warning FailedDelete Error deleting: no"]);
  api.before = () => notFound(pods, "web-1");
  await all.remove(key, stored, about, signal);
  assert.equal(events.length, 1);
});

test("a controller may have words of its own; a namespace that is being deleted is not worth an event", async () => {
  const { api, events, writes: all } = await writes((done, name, owner, error) => `${done} ${name} ${owner} ${error ?? "fine"}`);
  await all.create(key, { ...pod, metadata: { ...pod.metadata, name: "web-2" } }, about, signal);
  await assert.rejects(all.create(key, pod, about, signal), /already exists/);
  api.before = () => apiError("Forbidden", "ending", { causes: [{ reason: "NamespaceTerminating", message: "ending" }] });
  await assert.rejects(all.create(key, pod, about, signal), /ending/);
  assert.deepEqual(events, [
    "Normal SuccessfulCreate create web-2 web fine",
    'Warning FailedCreate create web-1 web pods "web-1" already exists',
  ]);
});
