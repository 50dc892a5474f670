// Randomness as an argument: seeded in tests and simulations, the system's in production (system/random.ts).

export interface Random {
  /** In [0, 1). */
  float(): number;
  bytes(length: number): Uint8Array;
}

/** An integer in [0, below). */
export const randomInt = (random: Random, below: number): number => Math.floor(random.float() * below);

/** RFC 9562 version 4. */
export function uuid(random: Random): string {
  const bytes = random.bytes(16);
  bytes[6] = ((bytes[6] as number) & 0x0f) | 0x40; // 16 bytes were asked for
  bytes[8] = ((bytes[8] as number) & 0x3f) | 0x80;
  const hex = Buffer.from(bytes.buffer, bytes.byteOffset, 16).toString("hex");
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}

// The alphabet of Kubernetes' generated names: no vowels (no words by accident), no 0, 1, 3 (easily misread).
const nameAlphabet = "bcdfghjklmnpqrstvwxz2456789";

export function randomSuffix(random: Random, length = 5): string {
  let suffix = "";
  for (let i = 0; i < length; i++) suffix += nameAlphabet[randomInt(random, nameAlphabet.length)];
  return suffix;
}

/** A seeded generator (xoshiro128**): the same seed gives the same run. */
export function seededRandom(seed: number): Random {
  let [a, b, c, d] = [seed | 0, (seed ^ 0x9e3779b9) | 0, (seed * 0x85ebca6b) | 0, 0x6a09e667];
  const next = (): number => {
    const result = Math.imul(rotl(Math.imul(b, 5), 7), 9) >>> 0;
    const t = b << 9;
    c ^= a;
    d ^= b;
    b ^= c;
    a ^= d;
    c ^= t;
    d = rotl(d, 11);
    return result;
  };
  for (let i = 0; i < 16; i++) next();
  return {
    float: () => next() / 0x1_0000_0000,
    bytes: (length) => Uint8Array.from({ length }, () => next() & 0xff),
  };
}

const rotl = (x: number, k: number): number => (x << k) | (x >>> (32 - k));
