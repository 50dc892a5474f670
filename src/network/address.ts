// IPv4 addresses and ranges as numbers.

export interface Range {
  readonly base: number;
  readonly prefix: number;
}

export function parseAddress(text: string): number {
  const parts = text.split(".");
  const numbers = parts.map(Number);
  if (parts.length !== 4 || parts.some((part, i) => !/^\d{1,3}$/.test(part) || (numbers[i] as number) > 255))
    throw new Error(`Invalid IPv4 address "${text}"`);
  return numbers.reduce((value, part) => value * 256 + part, 0);
}

export const formatAddress = (value: number): string => [24, 16, 8, 0].map((shift) => (value >>> shift) & 255).join(".");

/** "10.244.0.0/16". The base must be the range's first address. */
export function parseRange(text: string): Range {
  const [address = "", bits = ""] = text.split("/");
  const prefix = Number(bits);
  if (!/^\d{1,2}$/.test(bits) || prefix > 32) throw new Error(`Invalid address range "${text}": want ADDRESS/BITS`);
  const base = parseAddress(address);
  const size = 2 ** (32 - prefix);
  if (base % size !== 0)
    throw new Error(`Invalid address range "${text}": its first address is ${formatAddress(base - (base % size))}`);
  return { base, prefix };
}

export const rangeSize = (range: Range): number => 2 ** (32 - range.prefix);

/** Address `index` of the range: 0 is the network, 1 what Tiphys gives to the gateway. */
export const addressAt = (range: Range, index: number): string => formatAddress(range.base + index);

export const contains = (range: Range, address: string): boolean => {
  const value = parseAddress(address);
  return value >= range.base && value < range.base + rangeSize(range);
};
