// Files of older schemas are brought up to date and say the same as before.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { test } from "node:test";
import { crc32 } from "node:zlib";
import { seededRandom, silentLog, systemClock } from "#base";
import { openDiskStore } from "./open.ts";

/** Writes what this store writes back into the tables of schema 1. */
function downgrade(directory: string): void {
  const database = new DatabaseSync(join(directory, "store.db"));
  const rows = database.prepare("SELECT row, crc, digest, sub FROM changes ORDER BY row").all();
  assert.deepEqual(
    rows.map(({ sub }) => sub),
    [0, 0, 1, 0, 1],
  );
  // Rows with sub 0 are as they were in schema 1; the others lose the word that the checksum covers now.
  database.function("crc_without_sub", { varargs: true }, schema1Checksum);
  const change =
    "UPDATE changes SET crc=crc_without_sub(row, revision, key, created, version, lease, value) WHERE sub>0; ALTER TABLE changes DROP COLUMN sub";
  database.exec(change);
  let digest = 0;
  for (const { row, crc } of database.prepare("SELECT row, crc FROM changes ORDER BY row").all()) {
    digest = (digest ^ Number(crc)) >>> 0;
    database.prepare("UPDATE changes SET digest=? WHERE row=?").run(digest, Number(row));
  }
  database.exec("PRAGMA user_version=1");
  database.close();
}

/** The record of schema 1: two lengths, row, revision, created, version, lease, key, value. */
function schema1Checksum(...row: unknown[]): number {
  const [number, revision, key, created, version, lease, value] = row as [
    number,
    number,
    Uint8Array,
    number,
    number,
    number,
    Uint8Array,
  ];
  const bytes = Buffer.alloc(48);
  bytes.writeUInt32LE(key.length, 0);
  bytes.writeUInt32LE(value.length, 4);
  bytes.writeDoubleLE(number, 8);
  bytes.writeDoubleLE(revision, 16);
  bytes.writeDoubleLE(created, 24);
  bytes.writeDoubleLE(version, 32);
  bytes.writeBigInt64LE(BigInt(lease), 40);
  return crc32(Buffer.concat([bytes, key, value]));
}

test("a file of schema 1 opens with every change at its position", async () => {
  const directory = mkdtempSync(join(tmpdir(), "tiphys-schema-"));
  const options = { directory, clock: systemClock, random: seededRandom(1), log: silentLog, compactEveryMs: 0 };
  const put = (key: string) => ({ kind: "put" as const, key, value: Buffer.from(`value of ${key}`) });
  try {
    {
      await using store = await openDiskStore(options);
      await store.transact({ if: [], then: [put("a")] });
      await store.transact({ if: [], then: [put("b"), put("c")] });
      await store.transact({ if: [], then: [{ kind: "delete", key: "b", end: "\0" }] });
    }
    downgrade(directory);
    {
      await using store = await openDiskStore(options);
      assert.equal(store.revision, 4);
      assert.equal((await store.get("c", 3))?.value.toString(), "value of c");
    }
    const database = new DatabaseSync(join(directory, "store.db"), { readOnly: true });
    const subs = database.prepare("SELECT sub FROM changes ORDER BY row").all();
    database.close();
    assert.deepEqual(
      subs.map(({ sub }) => sub),
      [0, 0, 1, 0, 1],
    );
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
});
