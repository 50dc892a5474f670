// Reads a bbolt file and believes nothing in it: every page is checked before it is used.
import { bucketFlag, decodeMeta, elementBytes, flags, type Meta, pageHeaderBytes, readU64 } from "./pages.ts";

/** Where the bytes are. */
export interface Source {
  readonly size: number;
  /** Exactly so many bytes; only asked for what is inside `size`. */
  read(position: number, length: number): Buffer;
}

/** The file is not what it should be. */
export class DamagedFile extends Error {}

export interface FileEntry {
  /** Views: valid as long as they are kept. */
  readonly key: Buffer;
  readonly value: Buffer;
  readonly isBucket: boolean;
}

const metaPageBytes = 80;
const smallestPage = 1024;
const pageSizes = 16;
const bucketHeaderBytes = 16;
/** Far more than a file of any size needs. */
const deepestTree = 32;

export class BoltFile {
  readonly #source: Source;
  readonly #meta: Meta;
  readonly #visited: Uint8Array;

  /** Throws DamagedFile. */
  constructor(source: Source) {
    this.#source = source;
    this.#meta = newestMeta(source);
    const { pageCount, pageSize } = this.#meta;
    if (pageCount * pageSize > source.size) {
      throw new DamagedFile(`it is cut off: ${pageCount * pageSize} bytes are in use and ${source.size} are there`);
    }
    this.#visited = new Uint8Array(pageCount);
  }

  /** Of the pages in use. */
  get bytes(): number {
    return this.#meta.pageCount * this.#meta.pageSize;
  }

  /** Buckets by name, in order. */
  buckets(): ReadonlyMap<string, Bucket> {
    const found = new Map<string, Bucket>();
    for (const { key, value, isBucket } of this.#walk(this.#meta.root, 0)) {
      if (!isBucket || value.length < bucketHeaderBytes) throw new DamagedFile("what should be a bucket is none");
      const root = readU64(value, 0);
      const inline = value.subarray(bucketHeaderBytes);
      const entries =
        root === 0
          ? () => elements(inline, "an inline bucket", this.#kind(inline, "an inline bucket"))
          : () => this.#walkAgain(root);
      found.set(key.toString("latin1"), { entries });
    }
    return found;
  }

  /** Each walk may come to a page only once. */
  *#walkAgain(root: number): Generator<FileEntry> {
    this.#visited.fill(0);
    yield* this.#walk(root, 0);
  }

  *#walk(id: number, depth: number, before: { key: Buffer | undefined } = { key: undefined }): Generator<FileEntry> {
    const name = `page ${id}`;
    if (depth > deepestTree) throw new DamagedFile(`${name}: the tree has no end`);
    const page = this.#page(id);
    const kind = this.#kind(page, name);
    if (kind === "branch") {
      for (const child of children(page, name)) yield* this.#walk(child, depth + 1, before);
      return;
    }
    for (const entry of elements(page, name, kind)) {
      if (before.key !== undefined && Buffer.compare(before.key, entry.key) >= 0)
        throw new DamagedFile(`${name}: keys are out of order`);
      before.key = entry.key;
      yield entry;
    }
  }

  #kind(page: Buffer, name: string): "branch" | "leaf" {
    const flag = page.length < pageHeaderBytes ? 0 : page.readUInt16LE(8);
    if (flag !== flags.branch && flag !== flags.leaf) throw new DamagedFile(`${name}: it is neither branch nor leaf`);
    return flag === flags.branch ? "branch" : "leaf";
  }

  /** With its overflow pages. */
  #page(id: number): Buffer {
    const { pageCount, pageSize } = this.#meta;
    if (id < 2 || id >= pageCount) throw new DamagedFile(`page ${id}: there are ${pageCount} pages`);
    const header = this.#source.read(id * pageSize, pageHeaderBytes);
    const pages = header.readUInt32LE(12) + 1;
    if (readU64(header, 0) !== id || id + pages > pageCount) throw new DamagedFile(`page ${id}: its header is damaged`);
    for (let each = id; each < id + pages; each++) {
      if (this.#visited[each] !== 0) throw new DamagedFile(`page ${each}: it is used twice`);
      this.#visited[each] = 1;
    }
    return this.#source.read(id * pageSize, pages * pageSize);
  }
}

export interface Bucket {
  /** In ascending order of the key. Throws DamagedFile. */
  entries(): Iterable<FileEntry>;
}

/** The newer of the two that is whole. The second page begins after the first, whose size may be unreadable. */
function newestMeta(source: Source): Meta {
  const at = (position: number): Meta | undefined =>
    position + metaPageBytes > source.size ? undefined : decodeMeta(source.read(position, metaPageBytes));
  const first = at(0);
  let second: Meta | undefined;
  for (let power = 0; power < pageSizes && second === undefined; power++) {
    const pageSize = smallestPage * 2 ** power;
    if (first !== undefined && first.pageSize !== pageSize) continue;
    second = at(pageSize);
  }
  const newest = first === undefined || (second !== undefined && second.transaction > first.transaction) ? second : first;
  if (newest === undefined) throw new DamagedFile("it is not a snapshot of etcd, or its beginning is damaged");
  return newest;
}

function* children(page: Buffer, name: string): Generator<number> {
  const count = page.readUInt16LE(10);
  if (count === 0 || pageHeaderBytes + count * elementBytes > page.length)
    throw new DamagedFile(`${name}: its header is damaged`);
  for (let index = 0; index < count; index++) yield readU64(page, pageHeaderBytes + index * elementBytes + 8);
}

function* elements(page: Buffer, name: string, kind: "branch" | "leaf"): Generator<FileEntry> {
  const count = page.readUInt16LE(10);
  if (kind !== "leaf" || pageHeaderBytes + count * elementBytes > page.length)
    throw new DamagedFile(`${name}: its header is damaged`);
  for (let index = 0; index < count; index++) {
    const at = pageHeaderBytes + index * elementBytes;
    const start = at + page.readUInt32LE(at + 4);
    const keyEnd = start + page.readUInt32LE(at + 8);
    const end = keyEnd + page.readUInt32LE(at + 12);
    if (end > page.length) throw new DamagedFile(`${name}: element ${index} reaches beyond it`);
    yield {
      key: page.subarray(start, keyEnd),
      value: page.subarray(keyEnd, end),
      isBucket: (page.readUInt32LE(at) & bucketFlag) !== 0,
    };
  }
}
