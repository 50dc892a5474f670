// IPv4 addresses and ranges as the proxy needs them: strictly checked, since they end up in a script for nft.

const octet = "(?:25[0-5]|2[0-4]\\d|1\\d\\d|[1-9]?\\d)";
const quad = new RegExp(`^${octet}(?:\\.${octet}){3}$`);

export const isIpv4 = (text: string | undefined): text is string => text !== undefined && quad.test(text);

export interface Ipv4Range {
  /** First address as a number. */
  readonly base: number;
  readonly prefix: number;
}

const toNumber = (address: string): number => address.split(".").reduce((sum, part) => sum * 256 + Number(part), 0);
const toText = (address: number): string => [24, 16, 8, 0].map((shift) => Math.floor(address / 2 ** shift) % 256).join(".");

/** Undefined for what is no IPv4 range. Bits behind the prefix are cleared. */
export function parseIpv4Range(text: string): Ipv4Range | undefined {
  const [address, length, ...rest] = text.trim().split("/");
  if (!isIpv4(address) || length === undefined || !/^\d{1,2}$/.test(length) || Number(length) > 32 || rest.length > 0)
    return undefined;
  const size = 2 ** (32 - Number(length));
  return { base: Math.floor(toNumber(address) / size) * size, prefix: Number(length) };
}

export const formatRange = ({ base, prefix }: Ipv4Range): string => `${toText(base)}/${prefix}`;

export const rangeContains = (range: Ipv4Range, address: string): boolean =>
  Math.floor(toNumber(address) / 2 ** (32 - range.prefix)) === range.base / 2 ** (32 - range.prefix);

/** The same addresses without ranges that lie inside another: the kernel refuses elements that overlap. */
export function withoutNested(ranges: readonly Ipv4Range[]): readonly Ipv4Range[] {
  const kept: Ipv4Range[] = [];
  for (const range of [...ranges].sort((a, b) => a.prefix - b.prefix || a.base - b.base)) {
    if (!kept.some((wider) => rangeContains(wider, toText(range.base)))) kept.push(range);
  }
  return kept;
}
