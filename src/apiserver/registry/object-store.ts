// Reads and writes single objects in the store: compare-and-set by revision, bytes serialised once.
import { type ApiObject, alreadyExists, apiError, notFound, schemaOfKind, withoutEmptyLists } from "#api";
import type { Store } from "#store";
import { Entry, ParsedCache } from "../cache/entry.ts";
import type { CacheHub } from "../cache/hub.ts";
import { serialize, stringify } from "../cache/stored-bytes.ts";
import { withoutSaid } from "../empty-lists.ts";
import type { ServedResource } from "./resource.ts";
import { objectKey } from "./storage-keys.ts";
import { translated } from "./store-errors.ts";

/** Upstream's limit is etcd's: 1.5 MiB for a request. */
const maxObjectBytes = 1_572_864;

export class ObjectStore {
  readonly #store: Store;
  readonly hub: CacheHub;

  constructor(store: Store, hub: CacheHub) {
    this.#store = store;
    this.hub = hub;
  }

  keyOf(resource: ServedResource, namespace: string, name: string): string {
    return objectKey(resource.cache.prefix, resource.type.namespaced ? namespace : "", name);
  }

  /** The latest durable state, from the cache. Every cache of this process is told of a commit before its writer is. */
  current(resource: ServedResource, namespace: string, name: string): Entry | undefined {
    return resource.cache.get(this.keyOf(resource, namespace, name));
  }

  /** The latest state, from the store itself: after a lost race the cache may be behind (a remote store). */
  async latest(resource: ServedResource, namespace: string, name: string): Promise<Entry | undefined> {
    const key = this.keyOf(resource, namespace, name);
    const kv = await translated(this.#store.get(key));
    if (kv === undefined) return undefined;
    const cached = resource.cache.get(key);
    return cached?.revision === kv.modRevision ? cached : resource.cache.entryOf(kv);
  }

  /** Throws AlreadyExists. `object` is in the stored version. */
  async create(resource: ServedResource, object: ApiObject): Promise<Entry> {
    const { namespace = "", name = "" } = object.metadata;
    const key = this.keyOf(resource, namespace, name);
    const entry = await this.#put(resource, key, object, 0);
    if (entry === undefined) throw alreadyExists(resource.type, name);
    return entry;
  }

  /** Undefined: the object has another revision by now. */
  async replace(resource: ServedResource, old: Entry, object: ApiObject): Promise<Entry | undefined> {
    return await this.#put(resource, old.key, object, old.revision);
  }

  /** False: the object has another revision by now. Resolves with the deletion's revision. */
  async remove(old: Entry): Promise<number | undefined> {
    const result = await translated(
      this.#store.transact({
        if: [{ key: old.key, op: "=", target: "mod", value: old.revision }],
        then: [{ kind: "delete", key: old.key }],
      }),
    );
    if (!result.succeeded) return undefined;
    await this.hub.reached(result.revision);
    return result.revision;
  }

  async #put(resource: ServedResource, key: string, given: ApiObject, revision: number): Promise<Entry | undefined> {
    const { form } = resource.cache;
    const { value, object } = forStorage(resource, given);
    if (value.length > maxObjectBytes) throw apiError("", "etcdserver: request is too large");
    this.hub.written.set(value, object);
    const result = await translated(
      this.#store.transact({
        if: [revision === 0 ? { key, op: "=", target: "create", value: 0 } : { key, op: "=", target: "mod", value: revision }],
        then: [{ kind: "put", key, value, revisionSlot: form.head.length }],
      }),
    );
    if (!result.succeeded) return undefined;
    await this.hub.reached(result.revision);
    const cached = resource.cache.get(key);
    return cached?.revision === result.revision
      ? cached
      : resource.cache.entryOf({
          key,
          value,
          modRevision: result.revision,
          createRevision: result.revision,
          version: 1,
          lease: 0n,
        });
  }
}

/** Upstream keeps these as JSON, everything else as protobuf. */
const keptAsJson = new Set(["apiextensions.k8s.io", "apiregistration.k8s.io"]);

/** Reading the bytes for an empty list costs less than looking for one in the object, and there hardly ever is one. */
function forStorage(resource: ServedResource, object: ApiObject): { readonly value: Buffer; readonly object: ApiObject } {
  const { form } = resource.cache;
  const value = serialize(form, object);
  if (resource.custom || keptAsJson.has(resource.type.group) || !value.includes(":[]")) return { value, object };
  const schema = schemaOfKind(form.type);
  const kept = schema === undefined ? object : withoutEmptyLists(schema, object);
  return kept === object ? { value, object } : { value: serialize(form, kept), object: kept };
}

/** An entry for an object that is not stored (dry run): its resourceVersion is left out or stays what it was. */
export function unstoredEntry(given: ApiObject): Entry {
  const object = withoutSaid(given);
  const bytes = Buffer.from(stringify(object));
  const sidecar = {
    namespace: object.metadata.namespace ?? "",
    name: object.metadata.name ?? "",
    uid: object.metadata.uid ?? "",
    labels: object.metadata.labels,
    fields: {},
  };
  return new Entry(
    "",
    bytes,
    Number(object.metadata.resourceVersion ?? 0),
    sidecar,
    new ParsedCache({ capacity: 1 }),
    object as never,
  );
}

export const absent = (resource: ServedResource, name: string): Error => notFound(resource.type, name);
