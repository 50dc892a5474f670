// A bbolt file as a stream: the meta pages come first and name pages that come last, so the layout is found in a run before.
import {
  bucketFlag,
  elementBytes,
  encodeMeta,
  encodePage,
  flags,
  type PageContents,
  pageBytes,
  pageHeaderBytes,
  type Sized,
  writeHeader,
  writeU64,
} from "./pages.ts";
import { TreeWriter } from "./tree-writer.ts";

export interface Entry<T extends Sized> {
  readonly key: T;
  readonly value: T;
}

export interface Bucket<T extends Sized> {
  readonly name: string;
  /** In ascending order of the key; walked once. */
  readonly entries: AsyncIterable<readonly Entry<T>[]> | Iterable<readonly Entry<T>[]>;
}

/** What the head of the file says of the rest. */
export interface Layout {
  readonly root: number;
  readonly pageCount: number;
}

const freelistPage = 2;
const firstPage = 3;
const bucketValueBytes = 16;

/** The layout of a file with these buckets, given only how long the entries are. Buckets come in the order of their names. */
export async function measureFile(buckets: readonly Bucket<Sized>[]): Promise<Layout> {
  const pages = new Pages<Sized>(() => {});
  let rootBytes = pageHeaderBytes;
  for (const bucket of buckets) {
    const tree = new TreeWriter<Sized>(pages.emit);
    for await (const slice of bucket.entries) for (const { key, value } of slice) tree.add(key, value);
    tree.finish();
    rootBytes += elementBytes + bucket.name.length + bucketValueBytes;
  }
  return { root: pages.next, pageCount: pages.next + Math.ceil(rootBytes / pageBytes) };
}

/** The file's bytes. Throws when the entries are not those that were measured. */
export async function* writeFile(buckets: readonly Bucket<Buffer>[], layout: Layout): AsyncGenerator<Buffer> {
  const meta = { pageSize: pageBytes, root: layout.root, freelist: freelistPage, pageCount: layout.pageCount };
  yield encodeMeta({ ...meta, transaction: 0 });
  yield encodeMeta({ ...meta, transaction: 1 });
  const freelist = Buffer.alloc(pageBytes);
  writeHeader(freelist, freelistPage, flags.freelist, 0);
  yield freelist;

  let full: Buffer[] = [];
  const pages = new Pages<Buffer>((contents, id) => full.push(encodePage(contents, id)));
  const root: { bytes: number; keys: Buffer[]; values: Buffer[] } = { bytes: pageHeaderBytes, keys: [], values: [] };
  for (const bucket of buckets) {
    const tree = new TreeWriter<Buffer>(pages.emit);
    for await (const slice of bucket.entries) {
      for (const { key, value } of slice) tree.add(key, value);
      yield* full;
      full = [];
    }
    const value = Buffer.alloc(bucketValueBytes);
    writeU64(value, tree.finish(), 0);
    yield* full;
    full = [];
    root.keys.push(Buffer.from(bucket.name));
    root.values.push(value);
    root.bytes += elementBytes + bucket.name.length + bucketValueBytes;
  }
  const rootPage = encodePage({ kind: "leaf", children: [], ...root }, pages.next, bucketFlag);
  if (pages.next !== layout.root || pages.next + rootPage.length / pageBytes !== layout.pageCount) {
    throw new Error(`Broken invariant: ${layout.root} pages were measured and ${pages.next} written`);
  }
  yield rootPage;
}

/** Numbers pages in the order in which they are written. */
class Pages<T extends Sized> {
  next = firstPage;
  readonly emit: (contents: PageContents<T>) => number;

  constructor(take: (contents: PageContents<T>, id: number) => void) {
    this.emit = (contents) => {
      const id = this.next;
      this.next += Math.ceil(contents.bytes / pageBytes);
      take(contents, id);
      return id;
    };
  }
}
