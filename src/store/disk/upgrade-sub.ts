// Schema 1 to 2: each change learns its position inside its revision, which etcd calls its sub revision.
import type { DatabaseSync } from "node:sqlite";
import { crc32 } from "node:zlib";
import { Corrupt } from "./corrupt.ts";
import { sizeOfRecord, WireWriter } from "./wire.ts";

type Row = readonly [
  row: number,
  revision: number,
  sub: number,
  key: Uint8Array,
  created: number,
  version: number,
  lease: string,
  crc: number,
  value: Uint8Array,
];

/** The first change of a revision has 0 and keeps its checksum; where compaction has removed it the position is only the least possible. */
export function numberChanges(database: DatabaseSync): void {
  database.exec("ALTER TABLE changes ADD COLUMN sub INTEGER NOT NULL DEFAULT 0");
  const select = database.prepare(
    `SELECT row, revision, row - first, key, created, version, CAST(lease AS TEXT), crc, value
     FROM (SELECT *, MIN(row) OVER (PARTITION BY revision) AS first FROM changes
           WHERE revision IN (SELECT revision FROM changes GROUP BY revision HAVING COUNT(*) > 1))
     WHERE row > first`,
  );
  select.setReturnArrays(true);
  const update = database.prepare("UPDATE changes SET sub=?, crc=? WHERE row=?");
  let changed = 0;
  for (const found of select.all()) {
    const [row, revision, sub, keyBytes, created, version, lease, crc, value] = found as unknown as Row;
    const key = Buffer.from(keyBytes).toString("latin1");
    const checksum = (position: number): number => {
      const record = new WireWriter(sizeOfRecord(key, value.length));
      return crc32(record.write(row, revision, position, key, created, version, BigInt(lease), value));
    };
    // A record at position 0 has the checksum of schema 1. Unchecked, damage would get a checksum that fits.
    if (checksum(0) !== crc) throw new Corrupt(`row ${row} (key "${key}", revision ${revision}) does not match its checksum`);
    const corrected = checksum(sub);
    update.run(sub, corrected, row);
    changed ^= crc ^ corrected;
  }
  correctDigest(database, changed >>> 0);
}

/** The checksum over all rows stands beside the newest row and among the facts (load.ts). */
function correctDigest(database: DatabaseSync, changed: number): void {
  if (changed === 0) return;
  for (const [read, write] of [
    ["SELECT row AS at, digest FROM changes ORDER BY row DESC LIMIT 1", "UPDATE changes SET digest=? WHERE row=?"],
    ["SELECT name AS at, value AS digest FROM facts WHERE name='tallyDigest'", "UPDATE facts SET value=? WHERE name=?"],
  ] as const) {
    const found = database.prepare(read).get();
    if (found !== undefined)
      database.prepare(write).run((Number(found["digest"]) ^ changed) >>> 0, found["at"] as string | number);
  }
}
