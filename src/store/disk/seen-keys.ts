// The keys met so far while a file is read, each with something that waits for it: a Map of a million strings takes four times as long.
import type { Random } from "#base";
import type { Key } from "../store.ts";
import type { RecordReader } from "./wire.ts";

const firstSlots = 1024;

/** An open-addressed table. Hashes come from `RecordReader.keyHash`, with one seed. */
export class SeenKeys<T> {
  /** Pairs: hash, and index + 1 in the lists below; 0: free. */
  #slots = new Int32Array(2 * firstSlots);
  readonly #keys: Key[] = [];
  readonly #values: T[] = [];
  readonly #seed: Int32Array;

  /** `random`: so that nobody can choose keys that all meet in one slot. */
  constructor(random: Random) {
    this.#seed = new Int32Array(Uint8Array.from(random.bytes(8)).buffer);
  }

  hashOf(record: RecordReader): number {
    return record.keyHash(this.#seed);
  }

  get(hash: number, key: Key): T | undefined {
    return this.#values[this.#find(hash, key)];
  }

  set(hash: number, key: Key, value: T): void {
    const index = this.#find(hash, key);
    if (index >= 0) {
      this.#values[index] = value;
      return;
    }
    this.#keys.push(key);
    this.#values.push(value);
    if (this.#keys.length * 4 > this.#slots.length) this.#grow();
    this.#put(hash, this.#keys.length);
  }

  #find(hash: number, key: Key): number {
    const slots = this.#slots;
    const mask = slots.length - 2;
    for (let at = (hash << 1) & mask; ; at = (at + 2) & mask) {
      const index = (slots[at + 1] as number) - 1; // in bounds: at is below the length, and even
      if (index < 0 || (slots[at] === hash && this.#keys[index] === key)) return index;
    }
  }

  #put(hash: number, place: number): void {
    const slots = this.#slots;
    const mask = slots.length - 2;
    let at = (hash << 1) & mask;
    while (slots[at + 1] !== 0) at = (at + 2) & mask;
    slots[at] = hash;
    slots[at + 1] = place;
  }

  #grow(): void {
    const old = this.#slots;
    this.#slots = new Int32Array(4 * old.length);
    for (let at = 0; at < old.length; at += 2) if (old[at + 1] !== 0) this.#put(old[at] as number, old[at + 1] as number);
  }
}
