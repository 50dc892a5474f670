// IP addresses and ranges as numbers: parsing, canonical text, membership.

export interface Address {
  readonly family: 4 | 6;
  readonly value: bigint;
}

export interface Range {
  readonly family: 4 | 6;
  /** The network address. */
  readonly first: bigint;
  /** Number of addresses, the network's and broadcast's included. */
  readonly size: bigint;
  /** "10.96.0.0/16", canonical. */
  readonly text: string;
}

/** Undefined when `text` is no IP address. IPv4 parts may not have leading zeros (as upstream since 1.22). */
export function parseAddress(text: string): Address | undefined {
  if (!text.includes(":")) {
    const value = parseV4(text);
    return value === undefined ? undefined : { family: 4, value };
  }
  const value = parseV6(text);
  return value === undefined ? undefined : { family: 6, value };
}

export const isAddress = (text: string): boolean => parseAddress(text) !== undefined;

function parseV4(text: string): bigint | undefined {
  const parts = text.split(".");
  if (parts.length !== 4) return undefined;
  let value = 0n;
  for (const part of parts) {
    if (!/^(0|[1-9]\d{0,2})$/.test(part) || Number(part) > 255) return undefined;
    value = value * 256n + BigInt(part);
  }
  return value;
}

function parseV6(text: string): bigint | undefined {
  let body = text;
  const tail = /^(.*:)(\d+\.\d+\.\d+\.\d+)$/.exec(text);
  if (tail !== null) {
    const v4 = parseV4(tail[2] as string); // the expression matched, so the group is there
    if (v4 === undefined) return undefined;
    body = `${tail[1]}${(v4 >> 16n).toString(16)}:${(v4 & 0xffffn).toString(16)}`;
  }
  const halves = body.split("::");
  if (halves.length > 2) return undefined;
  const groups = halves.map((half) => (half === "" ? [] : half.split(":")));
  const given = groups.flat();
  if (given.some((group) => !/^[0-9a-fA-F]{1,4}$/.test(group))) return undefined;
  const missing = 8 - given.length;
  if (halves.length === 1 ? missing !== 0 : missing < 1) return undefined;
  const all = halves.length === 1 ? given : [...(groups[0] ?? []), ...Array<string>(missing).fill("0"), ...(groups[1] ?? [])];
  return all.reduce((value, group) => value * 0x10000n + BigInt(`0x${group}`), 0n);
}

/** Canonical text: dotted decimal, or RFC 5952 for IPv6. */
export function addressText({ family, value }: Address): string {
  if (family === 4) return [24n, 16n, 8n, 0n].map((shift) => ((value >> shift) & 0xffn).toString()).join(".");
  const groups = Array.from({ length: 8 }, (_, index) => ((value >> BigInt(112 - 16 * index)) & 0xffffn).toString(16));
  let best = { start: -1, length: 1 };
  for (let start = 0; start < 8; start++) {
    let length = 0;
    while (start + length < 8 && groups[start + length] === "0") length++;
    if (length > best.length) best = { start, length };
  }
  if (best.start < 0) return groups.join(":");
  return `${groups.slice(0, best.start).join(":")}::${groups.slice(best.start + best.length).join(":")}`;
}

/** Undefined when `text` is no CIDR. */
export function parseRange(text: string): Range | undefined {
  const slash = text.indexOf("/");
  if (slash < 0) return undefined;
  const address = parseAddress(text.slice(0, slash));
  const prefix = text.slice(slash + 1);
  if (address === undefined || !/^(0|[1-9]\d{0,2})$/.test(prefix)) return undefined;
  const bits = address.family === 4 ? 32 : 128;
  if (Number(prefix) > bits) return undefined;
  const size = 1n << BigInt(bits - Number(prefix));
  const first = address.value - (address.value % size);
  return { family: address.family, first, size, text: `${addressText({ family: address.family, value: first })}/${prefix}` };
}

export const contains = (range: Range, address: Address): boolean =>
  range.family === address.family && address.value >= range.first && address.value < range.first + range.size;

/** The `index`-th address of the range; 0 is the network address. */
export const addressAt = (range: Range, index: bigint): Address => ({ family: range.family, value: range.first + index });
