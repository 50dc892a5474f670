// Range reads: pure functions over a tree of versions, the same for every revision and every backend.
import type { Key, KeyValue, RangeOptions, RangeResult, Revision } from "../store.ts";
import type { Version } from "./state.ts";
import type { Tree } from "./tree.ts";

const noBytes: Buffer = Buffer.alloc(0);

/** etcd's convention of range ends as an interval: `end` "\0" is "no end", absent is "this key only". */
export function interval(key: Key, end: Key | undefined): { readonly start: Key; readonly end: Key | undefined } {
  if (end === undefined) return { start: key, end: `${key}\0` };
  return { start: key, end: end === "\0" ? undefined : end };
}

export const inInterval = (key: Key, start: Key, end: Key | undefined): boolean =>
  key >= start && (end === undefined || key < end);

/** Reads `tree` (a store as of one revision); `revision` is what the answer says the store's revision was. */
export function rangeOf(tree: Tree<Key, Version>, revision: Revision, key: Key, options: RangeOptions = {}): RangeResult {
  if (options.end === undefined) return single(tree.get(key), revision, options);
  const { start, end } = interval(key, options.end);
  const count = tree.count(start, end);
  if (options.countOnly) return { revision, kvs: [], more: false, count };
  const limit = options.limit ?? 0;
  const sort = neededSort(options);
  const filtered = hasFilter(options);
  const stopAfter = limit > 0 && sort === undefined ? limit : Number.POSITIVE_INFINITY;
  const kvs: Version[] = [];
  let more = false;
  tree.scan(start, end, (version) => {
    if (filtered && !passes(version, options)) return true;
    if (kvs.length === stopAfter) {
      more = true;
      return false;
    }
    kvs.push(version);
    return true;
  });
  if (sort !== undefined) {
    kvs.sort(sort);
    if (limit > 0 && kvs.length > limit) {
      more = true;
      kvs.length = limit;
    }
  }
  return { revision, kvs: options.keysOnly ? kvs.map(withoutValue) : kvs, more, count };
}

function single(version: Version | undefined, revision: Revision, options: RangeOptions): RangeResult {
  if (version === undefined) return { revision, kvs: [], more: false, count: 0 };
  if (options.countOnly || !passes(version, options)) return { revision, kvs: [], more: false, count: 1 };
  return { revision, kvs: [options.keysOnly ? withoutValue(version) : version], more: false, count: 1 };
}

export const withoutValue = (version: Version): Version => ({
  key: version.key,
  value: noBytes,
  createRevision: version.createRevision,
  modRevision: version.modRevision,
  version: version.version,
  lease: version.lease,
  row: version.row,
  sub: version.sub,
});

const hasFilter = (options: RangeOptions): boolean =>
  Boolean(options.minModRevision || options.maxModRevision || options.minCreateRevision || options.maxCreateRevision);

function passes(kv: KeyValue, options: RangeOptions): boolean {
  if (options.minModRevision && kv.modRevision < options.minModRevision) return false;
  if (options.maxModRevision && kv.modRevision > options.maxModRevision) return false;
  if (options.minCreateRevision && kv.createRevision < options.minCreateRevision) return false;
  if (options.maxCreateRevision && kv.createRevision > options.maxCreateRevision) return false;
  return true;
}

type Order = (a: KeyValue, b: KeyValue) => number;

const ascending = {
  key: (a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0),
  version: (a, b) => a.version - b.version,
  create: (a, b) => a.createRevision - b.createRevision,
  mod: (a, b) => a.modRevision - b.modRevision,
  value: (a, b) => Buffer.compare(a.value, b.value),
} as const satisfies Record<string, Order>;

/** The order asked for, unless it is the tree's own. */
function neededSort({ sort }: RangeOptions): Order | undefined {
  if (sort === undefined || (sort.by === "key" && sort.order === "ascend")) return undefined;
  const order = ascending[sort.by];
  return sort.order === "ascend" ? order : (a, b) => order(b, a);
}
