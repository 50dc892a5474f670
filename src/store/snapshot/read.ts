// What a snapshot of etcd (or a copy of its database) holds: history, leases, the compacted revision.
import { createHash } from "node:crypto";
import type { HistoryRecord } from "../engine/history.ts";
import type { Grant } from "../engine/state.ts";
import type { Key, Revision } from "../store.ts";
import { crc32c } from "./crc32c.ts";
import { BoltFile, type Bucket, DamagedFile, type Source } from "./file-reader.ts";
import { decodeKeyValue, decodeLease, finishedCompactionName, parseRevisionKey, scheduledCompactionName } from "./records.ts";

const digestBytes = 32;
/** Files are whole pages, so that a rest tells of a checksum behind them. */
const sectorBytes = 512;
const readBytes = 1024 * 1024;

export interface SnapshotStatus {
  /** As `etcdctl snapshot status` computes it: over every bucket. */
  readonly hash: number;
  readonly revision: Revision;
  readonly compactedRevision: Revision;
  /** Keys that are there at the latest revision. */
  readonly totalKeys: number;
  /** All kept versions. */
  readonly totalVersions: number;
  readonly leases: number;
  /** Of the database, without the checksum behind it. */
  readonly totalBytes: number;
}

export class Snapshot {
  readonly compactedRevision: Revision;
  readonly leases: readonly Grant[];
  readonly #file: BoltFile;
  readonly #buckets: ReadonlyMap<string, Bucket>;

  /** Throws DamagedFile when the checksum is wrong or missing, or the file is none of etcd's. `anyChecksum`: for a copy of a data directory. */
  constructor(source: Source, { anyChecksum = false }: { readonly anyChecksum?: boolean } = {}) {
    const body = checkDigest(source, anyChecksum);
    this.#file = new BoltFile(body);
    this.#buckets = this.#file.buckets();
    if (!this.#buckets.has("key") || !this.#buckets.has("meta")) throw new DamagedFile('it has no bucket "key" and "meta"');
    this.compactedRevision = Math.max(0, ...[...this.#entries("meta")].map(compactionOf));
    this.leases = [...this.#entries("lease")].map(({ value }) => understood("a lease", () => decodeLease(value)));
  }

  #entries(bucket: string) {
    return this.#buckets.get(bucket)?.entries() ?? [];
  }

  /** All kept versions in order. An empty key marks a revision that etcd was moved on to. Throws DamagedFile. */
  *records(): Generator<HistoryRecord> {
    for (const { key, value } of this.#entries("key")) {
      const at = parseRevisionKey(key);
      if (at === undefined) throw new DamagedFile(`"${key.toString("hex")}" is no revision`);
      const name = `revision ${at.revision}.${at.sub}`;
      const kv = understood(name, () => decodeKeyValue(value));
      const deleted = at.deleted ? { createRevision: 0, modRevision: at.revision, version: 0, lease: 0n } : {};
      if (kv.key !== "" && !at.deleted && (kv.modRevision !== at.revision || kv.version < 1)) {
        throw new DamagedFile(`${name}: the key is filed under another revision`);
      }
      yield { ...kv, ...deleted, ...(kv.key === "" ? { modRevision: at.revision } : {}), sub: at.sub };
    }
  }

  /** Reads all of it. Throws DamagedFile. */
  status(): SnapshotStatus {
    let hash = 0;
    for (const [name, bucket] of this.#buckets) {
      hash = crc32c(Buffer.from(name, "latin1"), hash);
      for (const { key, value } of bucket.entries()) hash = crc32c(value, crc32c(key, hash));
    }
    const live = new Set<Key>();
    let revision = Math.max(1, this.compactedRevision);
    let totalVersions = 0;
    for (const { key, modRevision, version } of this.records()) {
      revision = Math.max(revision, modRevision);
      totalVersions++;
      if (version > 0) live.add(key);
      else live.delete(key);
    }
    return {
      hash,
      revision,
      compactedRevision: this.compactedRevision,
      totalKeys: live.size,
      totalVersions,
      leases: this.leases.length,
      totalBytes: this.#file.bytes,
    };
  }
}

/** A compaction that was decided and not finished is finished by whoever restores. */
function compactionOf({ key, value }: { readonly key: Buffer; readonly value: Buffer }): Revision {
  const name = key.toString("latin1");
  if (name !== finishedCompactionName && name !== scheduledCompactionName) return 0;
  const at = parseRevisionKey(value);
  if (at === undefined) throw new DamagedFile(`"${name}" is no revision`);
  return at.revision;
}

function understood<T>(name: string, decode: () => T): T {
  try {
    return decode();
  } catch (error) {
    throw new DamagedFile(`${name}: ${error instanceof Error ? error.message : String(error)}`);
  }
}

/** The source without the checksum. */
function checkDigest(source: Source, anyChecksum: boolean): Source {
  if (source.size % sectorBytes !== digestBytes) {
    if (anyChecksum) return source;
    throw new DamagedFile("it has no checksum at its end: it is cut off, or a copy of a data directory");
  }
  const size = source.size - digestBytes;
  const body = { size, read: (position: number, length: number) => source.read(position, length) };
  if (anyChecksum) return body;
  const hash = createHash("sha256");
  for (let at = 0; at < size; at += readBytes) hash.update(source.read(at, Math.min(readBytes, size - at)));
  if (!hash.digest().equals(source.read(size, digestBytes))) throw new DamagedFile("its SHA-256 does not match");
  return body;
}
