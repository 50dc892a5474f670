// The operating system's randomness.
import { randomFillSync } from "node:crypto";
import type { Random } from "../random.ts";

export const systemRandom: Random = {
  float: () => randomFillSync(new Uint32Array(1))[0]! / 0x1_0000_0000, // one element was asked for
  bytes: (length) => randomFillSync(new Uint8Array(length)),
};
