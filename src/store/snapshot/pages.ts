// The pages of a bbolt file, as bytes: meta pages with their checksum, branches and leaves (format: bbolt's README and internal/common).

/** What etcd's files on amd64 have; readers take it from the meta page. */
export const pageBytes = 4096;
export const pageHeaderBytes = 16;
/** Of an element of a branch or a leaf, before its key. */
export const elementBytes = 16;

export const flags = { branch: 0x01, leaf: 0x02, meta: 0x04, freelist: 0x10 } as const;
/** On a leaf's element: the value is a bucket. */
export const bucketFlag = 0x01;
/** Freelist page number of a file that keeps none. */
export const noFreelist = 2 ** 64;

const magic = 0xed0cdaed;
const version = 2;
const metaBytes = 64;
const checksumAt = 56;

export interface Meta {
  readonly pageSize: number;
  /** Page of the root bucket. */
  readonly root: number;
  readonly freelist: number;
  /** Number of pages in use, this file's high water mark. */
  readonly pageCount: number;
  readonly transaction: number;
}

/** Of anything whose size alone decides where it goes. */
export interface Sized {
  readonly length: number;
}

export interface PageContents<T extends Sized> {
  readonly kind: "branch" | "leaf";
  readonly keys: readonly T[];
  /** Of a leaf, one a key. */
  readonly values: readonly T[];
  /** Of a branch: page numbers, one a key. */
  readonly children: readonly number[];
  /** Of header, elements, keys and values. */
  readonly bytes: number;
}

export function writeHeader(page: Buffer, id: number, flag: number, count: number): void {
  writeU64(page, id, 0);
  page.writeUInt16LE(flag, 8);
  page.writeUInt16LE(count, 10);
  page.writeUInt32LE(page.length / pageBytes - 1, 12);
}

/** One page with its overflow pages. `elementFlags`: the same for each element of a leaf. */
export function encodePage(contents: PageContents<Buffer>, id: number, elementFlags = 0): Buffer {
  const { kind, keys, values, children } = contents;
  const page = Buffer.alloc(Math.ceil(contents.bytes / pageBytes) * pageBytes);
  writeHeader(page, id, flags[kind], keys.length);
  let data = pageHeaderBytes + keys.length * elementBytes;
  for (const [index, key] of keys.entries()) {
    const at = pageHeaderBytes + index * elementBytes;
    // Positions count from the element itself.
    if (kind === "leaf") {
      const value = values[index] as Buffer; // one a key
      page.writeUInt32LE(elementFlags, at);
      page.writeUInt32LE(data - at, at + 4);
      page.writeUInt32LE(key.length, at + 8);
      page.writeUInt32LE(value.length, at + 12);
      data += key.copy(page, data);
      data += value.copy(page, data);
    } else {
      page.writeUInt32LE(data - at, at);
      page.writeUInt32LE(key.length, at + 4);
      writeU64(page, children[index] as number, at + 8); // one a key
      data += key.copy(page, data);
    }
  }
  return page;
}

/** Both meta pages carry the same state: whichever is read. */
export function encodeMeta(meta: Meta): Buffer {
  const page = Buffer.alloc(pageBytes);
  writeHeader(page, meta.transaction % 2, flags.meta, 0);
  const body = page.subarray(pageHeaderBytes, pageHeaderBytes + metaBytes);
  body.writeUInt32LE(magic, 0);
  body.writeUInt32LE(version, 4);
  body.writeUInt32LE(meta.pageSize, 8);
  writeU64(body, meta.root, 16);
  writeU64(body, meta.freelist, 32);
  writeU64(body, meta.pageCount, 40);
  writeU64(body, meta.transaction, 48);
  body.writeBigUInt64LE(fnv64a(body.subarray(0, checksumAt)), checksumAt);
  return page;
}

/** From the 80 bytes where a page with a meta begins; undefined when these are something else or damaged. */
export function decodeMeta(page: Buffer): Meta | undefined {
  const body = page.subarray(pageHeaderBytes, pageHeaderBytes + metaBytes);
  if (body.length < metaBytes || body.readUInt32LE(0) !== magic || body.readUInt32LE(4) !== version) return undefined;
  if (body.readBigUInt64LE(checksumAt) !== fnv64a(body.subarray(0, checksumAt))) return undefined;
  return {
    pageSize: body.readUInt32LE(8),
    root: readU64(body, 16),
    freelist: readU64(body, 32),
    pageCount: readU64(body, 40),
    transaction: readU64(body, 48),
  };
}

export const readU64 = (bytes: Buffer, at: number): number => bytes.readUInt32LE(at) + bytes.readUInt32LE(at + 4) * 2 ** 32;

export function writeU64(bytes: Buffer, value: number, at: number): void {
  bytes.writeUInt32LE(value % 2 ** 32, at);
  bytes.writeUInt32LE(Math.floor(value / 2 ** 32), at + 4);
}

function fnv64a(bytes: Uint8Array): bigint {
  let hash = 0xcbf29ce484222325n;
  for (const byte of bytes) hash = BigInt.asUintN(64, (hash ^ BigInt(byte)) * 0x100000001b3n);
  return hash;
}
