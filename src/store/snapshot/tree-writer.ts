// A B+tree written from its first key to its last: pages leave as they fill, only one of each level is held.
import { elementBytes, type PageContents, pageBytes, pageHeaderBytes, type Sized } from "./pages.ts";

class OpenPage<T extends Sized> implements PageContents<T> {
  readonly kind: "branch" | "leaf";
  readonly keys: T[] = [];
  readonly values: T[] = [];
  readonly children: number[] = [];
  bytes = pageHeaderBytes;

  constructor(kind: "branch" | "leaf") {
    this.kind = kind;
  }

  /** A branch takes at least two, or there would be no end of levels. */
  fits(bytes: number): boolean {
    return this.keys.length < (this.kind === "leaf" ? 1 : 2) || this.bytes + bytes <= pageBytes;
  }
}

/** Only lengths decide where things go, so that a run over lengths alone tells the layout of the run over the bytes. */
export class TreeWriter<T extends Sized> {
  readonly #emit: (page: PageContents<T>) => number;
  #leaf = new OpenPage<T>("leaf");
  /** The open branch of each level, lowest first. */
  readonly #branches: OpenPage<T>[] = [];

  /** `emit` is given each page when it is full and answers with its number. */
  constructor(emit: (page: PageContents<T>) => number) {
    this.#emit = emit;
  }

  /** Keys come in ascending order. */
  add(key: T, value: T): void {
    const bytes = elementBytes + key.length + value.length;
    if (!this.#leaf.fits(bytes)) {
      this.#close(this.#leaf, 0);
      this.#leaf = new OpenPage("leaf");
    }
    this.#leaf.keys.push(key);
    this.#leaf.values.push(value);
    this.#leaf.bytes += bytes;
  }

  /** Writes what is open; returns the page of the root. */
  finish(): number {
    if (this.#branches.length === 0) return this.#emit(this.#leaf);
    this.#close(this.#leaf, 0);
    for (let level = 0; ; level++) {
      const branch = this.#branches[level] as OpenPage<T>; // the top one returns
      if (level === this.#branches.length - 1) return this.#emit(branch);
      this.#close(branch, level + 1);
    }
  }

  /** Writes a page and enters it in the level above. */
  #close(page: OpenPage<T>, level: number): void {
    const child = this.#emit(page);
    const key = page.keys[0] as T; // closed pages are not empty
    let branch = this.#branches[level];
    if (branch === undefined) {
      branch = new OpenPage("branch");
      this.#branches.push(branch);
    }
    const bytes = elementBytes + key.length;
    if (!branch.fits(bytes)) {
      this.#close(branch, level + 1);
      branch = new OpenPage("branch");
      this.#branches[level] = branch;
    }
    branch.keys.push(key);
    branch.children.push(child);
    branch.bytes += bytes;
  }
}
