// Bounds what one thread has sent and the other has not taken yet: while the file is read the reader must not fill the memory with it.

/** Messages under way at most. */
const most = 64;

/** Shared by both threads. */
export class Backlog {
  readonly shared: SharedArrayBuffer;
  readonly #count: Int32Array;

  constructor(shared = new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT)) {
    this.shared = shared;
    this.#count = new Int32Array(shared);
  }

  /** To be called after each message; blocks the thread while too many are under way. */
  sent(): void {
    for (let count = Atomics.add(this.#count, 0, 1) + 1; count > most; count = Atomics.load(this.#count, 0))
      Atomics.wait(this.#count, 0, count);
  }

  taken(): void {
    Atomics.sub(this.#count, 0, 1);
    Atomics.notify(this.#count, 0);
  }
}
