// Count and checksum of all rows: what tells a lost row from one that never was.

export interface Tally {
  count: number;
  /** Exclusive or of the rows' checksums. */
  digest: number;
}

export const emptyTally = (): Tally => ({ count: 0, digest: 0 });

export function tallyAdd(tally: Tally, crc: number): void {
  tally.count++;
  tally.digest = (tally.digest ^ crc) >>> 0;
}

export function tallyRemove(tally: Tally, crc: number): void {
  tally.count--;
  tally.digest = (tally.digest ^ crc) >>> 0;
}
