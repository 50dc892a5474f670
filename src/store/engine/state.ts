// The data of one store: latest versions, the log of changes since compaction, leases. Persistent, so a snapshot is O(1).
import type { Key, KeyValue, Revision } from "../store.ts";
import { Tree } from "./tree.ts";

/** A key-value as the engine keeps it. */
export interface Version extends KeyValue {
  /** Number of this change over the life of the store; the disk store's row. */
  readonly row: number;
  /** Its position among the changes of its revision, from 0: etcd's sub revision. */
  readonly sub: number;
}

/** One key's step inside one revision. `version.version` is 0 for a deletion. */
export interface Change {
  readonly version: Version;
  /** What the key was before, until compaction forgets it. */
  readonly previous: Version | undefined;
}

export interface LogEntry {
  readonly revision: Revision;
  readonly changes: readonly Change[];
}

/** Ids are 64-bit and signed: where a scan of all leases begins. */
export const firstLeaseId: bigint = -(2n ** 63n);

export interface Grant {
  readonly id: bigint;
  readonly ttlSeconds: number;
}

/** Value of a version whose bytes are on disk only; compared by identity. */
export const evicted: Buffer = Buffer.alloc(0);

export class State {
  live = new Tree<Key, Version>();
  log = new Tree<Revision, LogEntry>();
  grants = new Tree<bigint, Grant>();
  /** Keys attached to leases, under `leasePrefix(id) + key`. */
  attachments = new Tree<string, Key>();
  revision: Revision = 1;
  compactedRevision: Revision = 0;
  row = 0;

  /** A state that shares everything with this one; each may change without the other noticing. */
  snapshot(): State {
    const copy = new State();
    copy.live = this.live.snapshot();
    copy.log = this.log.snapshot();
    copy.grants = this.grants.snapshot();
    copy.attachments = this.attachments.snapshot();
    copy.revision = this.revision;
    copy.compactedRevision = this.compactedRevision;
    copy.row = this.row;
    return copy;
  }

  leaseKeys(id: bigint): Key[] {
    const prefix = leasePrefix(id);
    const keys: Key[] = [];
    this.attachments.scan(prefix, undefined, (key, attachment) => {
      if (!attachment.startsWith(prefix)) return false;
      keys.push(key);
      return true;
    });
    return keys;
  }
}

const leasePrefix = (id: bigint): string => `${BigInt.asUintN(64, id).toString(16)}/`;

export const attachmentKey = (id: bigint, key: Key): string => leasePrefix(id) + key;
