// A watcher with a selector that is told of every change ends with exactly what a list with that selector finds.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { type ApiObject, configMaps, type Stored } from "#api";
import type { KeyValue } from "#store";
import { type Entry, ParsedCache } from "./entry.ts";
import { ResourceCache } from "./resource-cache.ts";
import { fillSlot, serialize, storedForm } from "./stored-bytes.ts";

const form = storedForm(configMaps);

function newCache(): { readonly cache: ResourceCache; flush(): void } {
  let dirty = false;
  const cache = new ResourceCache(
    {
      form,
      prefix: "/registry/configmaps/",
      parsed: new ParsedCache({ capacity: 4 }),
      selectableFields: () => ({}),
      written: new WeakMap(),
      wantFlush: () => {
        dirty = true;
      },
    },
    0,
  );
  return {
    cache,
    flush: () => {
      if (dirty) cache.flush();
      dirty = false;
    },
  };
}

function keyValue(name: string, label: string, revision: number): KeyValue {
  const value = serialize(form, { metadata: { name, namespace: "d", labels: { l: label } } });
  fillSlot(value, form.head.length, revision);
  return { key: `/registry/configmaps/d/${name}`, value, createRevision: revision, modRevision: revision, version: 1, lease: 0n };
}

const matches = (entry: Entry): boolean => entry.sidecar.labels?.["l"] === "x";

describe("watch cache", () => {
  it("a filtered watch, taken at any moments, is the difference between two filtered lists", () => {
    const change = fc.record({
      name: fc.constantFrom("a", "b", "c"),
      label: fc.constantFrom("x", "y", "gone"),
      take: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(change, { maxLength: 30 }), fc.nat(10), (changes, start) => {
        const { cache, flush } = newCache();
        const seen = new Map<string, number>();
        let watcher: ReturnType<ResourceCache["watch"]>;
        let revision = 0;
        const drain = (): void => {
          flush();
          for (const delivery of watcher?.take() ?? []) {
            if (delivery.type === "BOOKMARK") continue;
            const { name } = delivery.entry.sidecar;
            const object = JSON.parse(delivery.entry.bytes.toString()) as Stored<ApiObject>;
            assert.equal(
              Number(object.metadata.resourceVersion),
              delivery.entry.revision,
              "the bytes say the revision of the event",
            );
            if (delivery.type === "ADDED") assert.ok(!seen.has(name), `${name} was added twice`);
            else assert.ok(seen.has(name), `${name} was ${delivery.type} before it was added`);
            if (delivery.type === "DELETED") seen.delete(name);
            else seen.set(name, delivery.entry.revision);
          }
        };
        changes.forEach((step, index) => {
          if (index === start)
            watcher = cache.watch(
              {
                matches,
                since: revision,
                initial: cache.select(cache.prefix, matches),
                markInitialEnd: false,
                bookmarks: false,
                capacity: 1_000,
              },
              revision,
            );
          revision++;
          const kv = keyValue(step.name, step.label, revision);
          cache.apply(step.label === "gone" ? { type: "delete", kv: { ...kv, value: Buffer.alloc(0) } } : { type: "put", kv });
          if (step.take) drain();
        });
        if (watcher === undefined) return;
        drain();
        assert.deepEqual(
          [...seen].sort(),
          cache
            .select(cache.prefix, matches)
            .map((entry) => [entry.sidecar.name, entry.revision])
            .sort(),
        );
      }),
      { numRuns: 300 },
    );
  });

  it("a watcher that never reads is cut off instead of buffering without bound", () => {
    const { cache, flush } = newCache();
    const watcher = cache.watch(
      { matches: () => true, since: 0, initial: [], markInitialEnd: false, bookmarks: false, capacity: 5 },
      0,
    );
    for (let revision = 1; revision <= 10; revision++) {
      cache.apply({ type: "put", kv: keyValue("a", "x", revision) });
      flush();
    }
    assert.equal(watcher?.ended, "expired");
    assert.deepEqual(watcher?.take(), []);
    assert.equal(cache.watcherCount, 0);
  });

  it("a watch from a revision that is no longer remembered is refused", () => {
    const { cache } = newCache();
    cache.begin(100);
    assert.equal(
      cache.watch({ matches: () => true, since: 99, initial: [], markInitialEnd: false, bookmarks: false, capacity: 5 }, 100),
      undefined,
    );
  });
});
