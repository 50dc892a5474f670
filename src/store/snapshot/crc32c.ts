// The Castagnoli checksum, which etcd's hashes are made with (node:zlib has the other one).

/** Eight tables: eight bytes a step. */
const tables = makeTables();

function makeTables(): Uint32Array {
  const made = new Uint32Array(8 * 256);
  for (let byte = 0; byte < 256; byte++) {
    let sum = byte;
    for (let bit = 0; bit < 8; bit++) sum = (sum & 1) === 1 ? (sum >>> 1) ^ 0x82f63b78 : sum >>> 1;
    made[byte] = sum;
  }
  for (let at = 256; at < made.length; at++) {
    const before = made[at - 256] as number; // inside, as all indices here
    made[at] = (before >>> 8) ^ (made[before & 0xff] as number);
  }
  return made;
}

/** `sum` continues an earlier one. */
export function crc32c(bytes: Uint8Array, sum = 0): number {
  const t = tables;
  let crc = ~sum;
  let at = 0;
  // Indices are masked to the tables' size and below `length`: nothing is undefined.
  const byte = (index: number): number => bytes[index] as number;
  const entry = (index: number): number => t[index] as number;
  for (const end = bytes.length - 7; at < end; at += 8) {
    const low = crc ^ (byte(at) | (byte(at + 1) << 8) | (byte(at + 2) << 16) | (byte(at + 3) << 24));
    crc =
      entry(1792 + (low & 0xff)) ^
      entry(1536 + ((low >>> 8) & 0xff)) ^
      entry(1280 + ((low >>> 16) & 0xff)) ^
      entry(1024 + (low >>> 24)) ^
      entry(768 + byte(at + 4)) ^
      entry(512 + byte(at + 5)) ^
      entry(256 + byte(at + 6)) ^
      entry(byte(at + 7));
  }
  for (; at < bytes.length; at++) crc = entry((crc ^ byte(at)) & 0xff) ^ (crc >>> 8);
  return ~crc >>> 0;
}
