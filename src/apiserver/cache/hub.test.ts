// The hub: one watch of the store for all caches, and what happens when the store ends it.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { configMaps, secrets } from "#api";
import { silentLog, VirtualClock } from "#base";
import { openMemoryStore, type Store, WatchCancelled } from "#store";
import { CacheHub } from "./hub.ts";
import { serialize, storedForm } from "./stored-bytes.ts";

const forms = { configmaps: storedForm(configMaps), secrets: storedForm(secrets) };

async function put(store: Store, plural: "configmaps" | "secrets", name: string): Promise<number> {
  const form = forms[plural];
  const value = serialize(form, { metadata: { name, namespace: "d" } });
  const { revision } = await store.transact({
    if: [],
    then: [{ kind: "put", key: `/registry/${plural}/d/${name}`, value, revisionSlot: form.head.length }],
  });
  return revision;
}

/** A store whose watches a test can end, or keep from saying anything. */
function breakable(store: Store): { readonly store: Store; break(): void; mute(): void } {
  let end = (_why: WatchCancelled | undefined): void => {};
  let muted = false;
  const watch: Store["watch"] = async (request, deliver) => {
    const inner = await store.watch(request, (batch) => {
      if (!muted) deliver(batch);
    });
    return {
      closed: new Promise((resolve) => {
        end = resolve;
      }),
      requestProgress: () => inner.requestProgress(),
      [Symbol.asyncDispose]: () => inner[Symbol.asyncDispose](),
    };
  };
  const get = (target: Store, name: string | symbol): unknown => {
    if (name === "watch") return watch;
    const value: unknown = Reflect.get(target, name, target);
    return typeof value === "function" ? value.bind(target) : value;
  };
  return {
    store: new Proxy(store, { get }),
    break: () => end(new WatchCancelled("gone")),
    mute: () => {
      muted = true;
    },
  };
}

describe("CacheHub", () => {
  it("takes over the object of a write of this process, and holds it no longer than other parsed objects", async () => {
    const clock = new VirtualClock();
    const store = openMemoryStore({ clock });
    await using hub = new CacheHub({ store, clock, log: silentLog });
    const maps = hub.declare({ form: forms.configmaps, prefix: "/registry/configmaps/", selectableFields: () => ({}) });
    await hub.start();
    const object = { metadata: { name: "a", namespace: "d" }, data: { k: "v" } };
    const value = serialize(forms.configmaps, object);
    hub.written.set(value, object);
    const key = "/registry/configmaps/d/a";
    await store.transact({ if: [], then: [{ kind: "put", key, value, revisionSlot: forms.configmaps.head.length }] });
    const parsed = maps.get(key)?.parse() as { readonly data?: unknown } | undefined;
    assert.equal(parsed?.data, object.data, "not parsed anew");
    assert.equal(hub.written.has(value), false);
  });

  it("loads what is stored and follows every change, all caches at one revision", async () => {
    const clock = new VirtualClock();
    const store = openMemoryStore({ clock });
    await put(store, "configmaps", "before");
    await using hub = new CacheHub({ store, clock, log: silentLog });
    const maps = hub.declare({ form: forms.configmaps, prefix: "/registry/configmaps/", selectableFields: () => ({}) });
    await hub.start();
    assert.deepEqual(
      maps.select(maps.prefix).map((entry) => entry.sidecar.name),
      ["before"],
    );
    const revision = await put(store, "secrets", "s");
    assert.equal(await hub.reached(revision), true);
    assert.equal(hub.revision, revision, "a change of a resource without a cache moves the revision too");
    const secretCache = await hub.add({ form: forms.secrets, prefix: "/registry/secrets/", selectableFields: () => ({}) });
    assert.deepEqual(
      secretCache.select(secretCache.prefix).map((entry) => entry.revision),
      [revision],
    );
  });

  it("loads everything again and tells watchers to list again when the store ends the watch", async () => {
    const clock = new VirtualClock();
    const memory = openMemoryStore({ clock });
    const { store, break: breakWatch } = breakable(memory);
    await using hub = new CacheHub({ store, clock, log: silentLog });
    const maps = hub.declare({ form: forms.configmaps, prefix: "/registry/configmaps/", selectableFields: () => ({}) });
    await hub.start();
    const watcher = maps.watch(
      { matches: () => true, since: hub.revision, initial: [], markInitialEnd: false, bookmarks: false, capacity: 10 },
      hub.revision,
    );
    breakWatch();
    await clock.advance(0);
    assert.equal(watcher?.ended, "expired");
    const revision = await put(memory, "configmaps", "after");
    assert.equal(await hub.reached(revision), true);
    assert.deepEqual(
      maps.select(maps.prefix).map((entry) => entry.sidecar.name),
      ["after"],
    );
  });

  it("lets go on whoever waits for a revision that came only with the loading", async () => {
    const clock = new VirtualClock();
    const memory = openMemoryStore({ clock });
    const { store, break: breakWatch, mute } = breakable(memory);
    await using hub = new CacheHub({ store, clock, log: silentLog });
    await hub.start();
    mute();
    const revision = await put(memory, "configmaps", "unheard");
    const reached = hub.reached(revision);
    breakWatch();
    assert.equal(await reached, true);
    assert.equal(hub.revision, revision);
  });
});
