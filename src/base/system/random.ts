// The operating system's randomness, fetched a few kilobytes at a time: a call for 4 bytes costs as much as one for 4096.
import { randomFillSync } from "node:crypto";
import type { Random } from "../random.ts";

function pooled(): Random {
  const pool = new Uint8Array(4096);
  const view = new DataView(pool.buffer);
  let next = pool.length;
  const take = (length: number): number => {
    if (next + length > pool.length) {
      randomFillSync(pool);
      next = 0;
    }
    const start = next;
    next += length;
    return start;
  };
  return {
    float: () => view.getUint32(take(4)) / 0x1_0000_0000,
    bytes: (length) => {
      if (length > pool.length) return randomFillSync(new Uint8Array(length));
      const start = take(length);
      const bytes = pool.slice(start, start + length);
      pool.fill(0, start, start + length); // what was given out must not stay behind
      return bytes;
    },
  };
}

export const systemRandom: Random = pooled();
