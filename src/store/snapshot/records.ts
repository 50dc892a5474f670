// How etcd keeps revisions, leases and its own numbers in the buckets of its file (mvcc/revision.go, mvccpb, leasepb).
import type { Grant } from "../engine/state.ts";
import type { KeyValue, Revision } from "../store.ts";

/** Every bucket that etcd makes, in the order of the file. */
export const bucketNames = [
  "alarm",
  "auth",
  "authRoles",
  "authUsers",
  "cluster",
  "key",
  "lease",
  "members",
  "members_removed",
  "meta",
] as const;

/** In the bucket `meta`. */
export const consistentIndexName = "consistent_index";
export const finishedCompactionName = "finishedCompactRev";
export const scheduledCompactionName = "scheduledCompactRev";

const separator = 0x5f; // "_"
const tombstoneMark = 0x74; // "t"
const revisionKeyBytes = 17;

export const revisionKeyLength = (version: number): number => (version === 0 ? revisionKeyBytes + 1 : revisionKeyBytes);

/** Key in the bucket `key`: sorts by revision, then by position. */
export function revisionKey(revision: Revision, sub: number, deleted = false): Buffer {
  const key = Buffer.allocUnsafe(deleted ? revisionKeyBytes + 1 : revisionKeyBytes);
  writeU64BE(key, revision, 0);
  key[8] = separator;
  writeU64BE(key, sub, 9);
  if (deleted) key[revisionKeyBytes] = tombstoneMark;
  return key;
}

export interface RevisionKey {
  readonly revision: Revision;
  readonly sub: number;
  readonly deleted: boolean;
}

/** Undefined when it is no such key. */
export function parseRevisionKey(key: Buffer): RevisionKey | undefined {
  const marked = key.length === revisionKeyBytes + 1 && key[revisionKeyBytes] === tombstoneMark;
  if ((key.length !== revisionKeyBytes && !marked) || key[8] !== separator) return undefined;
  return { revision: readU64BE(key, 0), sub: readU64BE(key, 9), deleted: marked };
}

export const readU64BE = (bytes: Buffer, at: number): number => bytes.readUInt32BE(at) * 2 ** 32 + bytes.readUInt32BE(at + 4);

export function writeU64BE(bytes: Buffer, value: number, at: number): void {
  bytes.writeUInt32BE(Math.floor(value / 2 ** 32), at);
  bytes.writeUInt32BE(value % 2 ** 32, at + 4);
}

/** Tags of mvccpb.KeyValue in the order in which etcd writes them. */
const keyTag = 0x0a;
const createTag = 0x10;
const modTag = 0x18;
const versionTag = 0x20;
const valueTag = 0x2a;
const leaseTag = 0x30;

/** Bytes of `encodeKeyValue`. */
export function keyValueLength(kv: KeyValue): number {
  let length = 1 + varintLength(kv.key.length) + kv.key.length;
  if (kv.version === 0) return length;
  length += 3 + varintLength(kv.createRevision) + varintLength(kv.modRevision) + varintLength(kv.version);
  if (kv.value.length > 0) length += 1 + varintLength(kv.value.length) + kv.value.length;
  if (kv.lease !== 0n) length += 1 + varint64Length(kv.lease);
  return length;
}

/** As etcd marshals it, byte for byte: hashes are made of these. Of a deletion only the key is kept. */
export function encodeKeyValue(kv: KeyValue): Buffer {
  const bytes = Buffer.allocUnsafe(keyValueLength(kv));
  bytes[0] = keyTag;
  let at = writeVarint(bytes, kv.key.length, 1);
  at += bytes.write(kv.key, at, "latin1");
  if (kv.version === 0) return bytes;
  for (const [tag, value] of [
    [createTag, kv.createRevision],
    [modTag, kv.modRevision],
    [versionTag, kv.version],
  ] as const) {
    bytes[at++] = tag;
    at = writeVarint(bytes, value, at);
  }
  if (kv.value.length > 0) {
    bytes[at++] = valueTag;
    at = writeVarint(bytes, kv.value.length, at);
    at += kv.value.copy(bytes, at);
  }
  if (kv.lease !== 0n) {
    bytes[at++] = leaseTag;
    writeVarint64(bytes, kv.lease, at);
  }
  return bytes;
}

/** Throws RangeError when the bytes are not a whole message. The value is a view. */
export function decodeKeyValue(bytes: Buffer): KeyValue {
  const fields = new Map<number, number | bigint | Buffer>();
  readFields(bytes, (tag, value) => fields.set(tag, value));
  const number = (tag: number): number => Number(fields.get(tag) ?? 0);
  const blob = (tag: number): Buffer => {
    const found = fields.get(tag);
    return Buffer.isBuffer(found) ? found : Buffer.alloc(0);
  };
  return {
    key: blob(keyTag).toString("latin1"),
    value: blob(valueTag),
    createRevision: number(createTag),
    modRevision: number(modTag),
    version: number(versionTag),
    lease: BigInt.asIntN(64, BigInt((fields.get(leaseTag) as number | bigint | undefined) ?? 0)),
  };
}

export function leaseKey(id: bigint): Buffer {
  const key = Buffer.alloc(8);
  key.writeBigInt64BE(id);
  return key;
}

/** leasepb.Lease. */
export function encodeLease({ id, ttlSeconds }: Grant): Buffer {
  const bytes = Buffer.alloc(2 + varint64Length(id) + varintLength(ttlSeconds));
  bytes[0] = 0x08;
  const at = writeVarint64(bytes, id, 1);
  bytes[at] = 0x10;
  writeVarint(bytes, ttlSeconds, at + 1);
  return bytes;
}

/** Throws RangeError when the bytes are not a whole message. */
export function decodeLease(bytes: Buffer): Grant {
  let id = 0n;
  let ttlSeconds = 0;
  readFields(bytes, (tag, value) => {
    if (tag === 0x08 && !Buffer.isBuffer(value)) id = BigInt.asIntN(64, BigInt(value));
    if (tag === 0x10 && !Buffer.isBuffer(value)) ttlSeconds = Number(value);
  });
  return { id, ttlSeconds };
}

function varintLength(value: number): number {
  let length = 1;
  for (let rest = value; rest >= 0x80; rest = Math.floor(rest / 0x80)) length++;
  return length;
}

function varint64Length(value: bigint): number {
  let length = 1;
  for (let rest = BigInt.asUintN(64, value) >> 7n; rest > 0n; rest >>= 7n) length++;
  return length;
}

function writeVarint(bytes: Buffer, value: number, at: number): number {
  let rest = value;
  let next = at;
  while (rest >= 0x80) {
    bytes[next++] = (rest % 0x80) | 0x80;
    rest = Math.floor(rest / 0x80);
  }
  bytes[next++] = rest;
  return next;
}

function writeVarint64(bytes: Buffer, value: bigint, at: number): number {
  let rest = BigInt.asUintN(64, value);
  let next = at;
  for (; rest >= 0x80n; rest >>= 7n) bytes[next++] = Number(rest & 0x7fn) | 0x80;
  bytes[next++] = Number(rest);
  return next;
}

/** Calls `visit` with tag and value of each field: varints and byte strings are all that these messages have. */
function readFields(bytes: Buffer, visit: (tag: number, value: number | bigint | Buffer) => void): void {
  let at = 0;
  const varint = (): number | bigint => {
    let value = 0;
    let factor = 1;
    let big = 0n;
    for (let index = 0; index < 10; index++) {
      const byte = bytes[at++];
      if (byte === undefined) break;
      if (index < 7) value += (byte & 0x7f) * factor;
      else big |= BigInt(byte & 0x7f) << BigInt(7 * index);
      factor *= 0x80;
      if (byte < 0x80) return big === 0n ? value : big + BigInt(value);
    }
    throw new RangeError("a number is cut off");
  };
  while (at < bytes.length) {
    const tag = Number(varint());
    const value = varint();
    if ((tag & 7) === 0) visit(tag, value);
    else if ((tag & 7) === 2) {
      const end = at + Number(value);
      if (end > bytes.length) throw new RangeError("a field is cut off");
      visit(tag, bytes.subarray(at, end));
      at = end;
    } else throw new RangeError(`field with wire type ${tag & 7}`);
  }
}
