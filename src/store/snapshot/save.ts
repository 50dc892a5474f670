// A store's history as a snapshot that etcd restores from: a bbolt file, then the SHA-256 of it.
import { createHash } from "node:crypto";
import type { History } from "../engine/history.ts";
import { type Bucket, type Entry, type Layout, measureFile, writeFile } from "./file-writer.ts";
import { pageBytes, type Sized } from "./pages.ts";
import {
  bucketNames,
  consistentIndexName,
  encodeKeyValue,
  encodeLease,
  finishedCompactionName,
  keyValueLength,
  leaseKey,
  revisionKey,
  revisionKeyLength,
  scheduledCompactionName,
  writeU64BE,
} from "./records.ts";

const digestBytes = 32;

export interface SnapshotPlan {
  /** Of the whole stream. */
  readonly totalBytes: number;
  readonly layout: Layout;
}

/** Reads all history once, since the first bytes of the file depend on the last. */
export async function planSnapshot(history: History): Promise<SnapshotPlan> {
  const layout = await measureFile(buckets<Sized>(history, lengths(history)));
  return { totalBytes: layout.pageCount * pageBytes + digestBytes, layout };
}

/** The bytes of the snapshot, in pieces of a page or more; holds a few pages at a time. */
export async function* snapshotBytes(history: History, plan: SnapshotPlan): AsyncGenerator<Buffer> {
  const hash = createHash("sha256");
  for await (const page of writeFile(buckets(history, contents(history)), plan.layout)) {
    hash.update(page);
    yield page;
  }
  yield hash.digest();
}

async function* lengths(history: History): AsyncGenerator<readonly Entry<Sized>[]> {
  for await (const slice of history.slices()) {
    yield slice.map((record) => ({
      key: { length: revisionKeyLength(record.version) },
      value: { length: keyValueLength(record) },
    }));
  }
}

async function* contents(history: History): AsyncGenerator<readonly Entry<Buffer>[]> {
  for await (const slice of history.slices()) {
    yield slice.map((record) => ({
      key: revisionKey(record.modRevision, record.sub, record.version === 0),
      value: encodeKeyValue(record),
    }));
  }
}

/** Members, users and alarms are not ours to hand on: those buckets are empty. */
function buckets<T extends Sized>(history: History, keys: AsyncIterable<readonly Entry<T>[]>): Bucket<T | Buffer>[] {
  return bucketNames.map((name) => {
    if (name === "key") return { name, entries: keys };
    const entries = name === "lease" ? leaseEntries(history) : name === "meta" ? metaEntries(history) : [];
    return { name, entries: [entries] };
  });
}

const leaseEntries = (history: History): Entry<Buffer>[] =>
  history.leases
    .map((lease) => ({ key: leaseKey(lease.id), value: encodeLease(lease) }))
    .sort((a, b) => Buffer.compare(a.key, b.key));

function metaEntries({ revision, compactedRevision }: History): Entry<Buffer>[] {
  const index = Buffer.alloc(8);
  writeU64BE(index, revision, 0);
  const entries: Entry<Buffer>[] = [{ key: Buffer.from(consistentIndexName), value: index }];
  if (compactedRevision > 0) {
    const value = revisionKey(compactedRevision, 0);
    entries.push({ key: Buffer.from(finishedCompactionName), value }, { key: Buffer.from(scheduledCompactionName), value });
  }
  return entries;
}
