// Hands out ranges of the pod network to nodes: pure arithmetic over addresses of both families.

export interface Pool {
  readonly family: 4 | 6;
  readonly first: bigint;
  /** Number of ranges in it. */
  readonly count: number;
  /** Prefix length of each range. */
  readonly size: number;
}

/** Throws with a sentence when the range cannot be cut into pieces of that size. */
export function poolOf(cidr: string, nodeMask: number): Pool {
  const [address = "", bits = ""] = cidr.split("/");
  const family = address.includes(":") ? 6 : 4;
  const width = family === 4 ? 32 : 128;
  const prefix = Number(bits);
  if (!/^\d+$/.test(bits) || prefix > width) throw new Error(`Cannot use cluster range "${cidr}": it is no address range`);
  if (prefix > nodeMask) throw new Error(`Cannot use cluster range "${cidr}": nodes are to get /${nodeMask}, which is larger`);
  // Upstream's limit: 2^16 ranges at most.
  if (nodeMask - prefix > 16)
    throw new Error(`Cannot use cluster range "${cidr}": it has more than 65536 ranges of /${nodeMask}`);
  const mask = ((1n << BigInt(prefix)) - 1n) << BigInt(width - prefix);
  return { family, first: parseAddress(address) & mask, count: 2 ** (nodeMask - prefix), size: nodeMask };
}

export function rangeAt(pool: Pool, index: number): string {
  const width = pool.family === 4 ? 32 : 128;
  return `${formatAddress(pool.first + (BigInt(index) << BigInt(width - pool.size)), pool.family)}/${pool.size}`;
}

/** Which ranges of the pool the given CIDR occupies: first and last index, or undefined when it lies outside. */
export function indexesOf(pool: Pool, cidr: string): readonly [number, number] | undefined {
  const [address = "", bits = ""] = cidr.split("/");
  if (address.includes(":") !== (pool.family === 6)) return undefined;
  const width = pool.family === 4 ? 32 : 128;
  const shift = BigInt(width - pool.size);
  const start = parseAddress(address);
  const end = start + (1n << BigInt(width - Number(bits))) - 1n;
  const from = (start - pool.first) >> shift;
  const to = (end - pool.first) >> shift;
  if (to < 0n || from >= BigInt(pool.count)) return undefined;
  return [Number(from < 0n ? 0n : from), Math.min(Number(to), pool.count - 1)];
}

/** How many nodes hold each range: two may, where somebody assigned them by hand. */
export type Taken = ReadonlyMap<number, number>;

export const occupy = (pool: Pool, taken: Map<number, number>, cidr: string): void => count(pool, taken, cidr, 1);
export const release = (pool: Pool, taken: Map<number, number>, cidr: string): void => count(pool, taken, cidr, -1);

function count(pool: Pool, taken: Map<number, number>, cidr: string, by: 1 | -1): void {
  const range = indexesOf(pool, cidr);
  if (range === undefined) return;
  for (let index = range[0]; index <= range[1]; index++) {
    const holders = (taken.get(index) ?? 0) + by;
    if (holders > 0) taken.set(index, holders);
    else taken.delete(index);
  }
}

/** The first free range after `from`, going round: a range that was just given up is used again last. */
export function nextFree(pool: Pool, taken: Taken, from: number): number | undefined {
  for (let step = 0; step < pool.count; step++) {
    const index = (from + step) % pool.count;
    if (!taken.has(index)) return index;
  }
  return undefined;
}

function parseAddress(text: string): bigint {
  if (!text.includes(":")) return text.split(".").reduce((value, part) => (value << 8n) | BigInt(part), 0n);
  const [head = "", tail] = text.split("::");
  const left = head === "" ? [] : head.split(":");
  const right = tail === undefined || tail === "" ? [] : tail.split(":");
  const middle = tail === undefined ? [] : Array<string>(8 - left.length - right.length).fill("0");
  return [...left, ...middle, ...right].reduce((value, part) => (value << 16n) | BigInt(`0x${part}`), 0n);
}

function formatAddress(value: bigint, family: 4 | 6): string {
  if (family === 4) return [24n, 16n, 8n, 0n].map((shift) => (value >> shift) & 255n).join(".");
  const parts = Array.from({ length: 8 }, (_, i) => ((value >> BigInt(112 - 16 * i)) & 0xffffn).toString(16));
  // RFC 5952: the longest run of zeros becomes "::".
  let best = { at: -1, length: 1 };
  for (let at = 0; at < 8; at++) {
    let length = 0;
    while (parts[at + length] === "0") length++;
    if (length > best.length) best = { at, length };
  }
  return best.at === -1
    ? parts.join(":")
    : `${parts.slice(0, best.at).join(":")}::${parts.slice(best.at + best.length).join(":")}`;
}
