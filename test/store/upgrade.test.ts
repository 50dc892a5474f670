// Directories of other versions: an older one is brought up to date and says what it said before, a newer one is refused and left alone.
import assert from "node:assert/strict";
import { cpSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { suite, test } from "node:test";
import { crc32, gunzipSync } from "node:zlib";
import type { DiskStore } from "#store";
import { openStore, put, Scratch, storeError } from "./support/scratch.ts";

const fixture = join(import.meta.dirname, "fixtures", "schema-1");

/** A directory as the first version left it when it was killed: half of it in the log, a compaction, leases with small and large numbers. */
function placeSchema1(directory: string): void {
  mkdirSync(directory, { recursive: true });
  for (const file of ["store.db", "store.db-wal"])
    writeFileSync(join(directory, file), gunzipSync(readFileSync(join(fixture, `${file}.gz`))));
  writeFileSync(join(directory, "acknowledged"), "0000000000000018\n");
}

/** What that version read in it, one key at one revision a line. */
const contents = readFileSync(join(fixture, "contents.jsonl"), "utf8")
  .trim()
  .split("\n")
  .map((line) => JSON.parse(line) as unknown);

async function assertContents(store: DiskStore): Promise<void> {
  const found: unknown[] = [];
  for (let revision = 8; revision <= 18; revision++) {
    const { kvs } = await store.range("\0", { end: "\0", revision });
    for (const { key, createRevision, modRevision, version, lease, value } of kvs)
      found.push([revision, key, createRevision, modRevision, version, String(lease), value.toString("latin1")]);
  }
  assert.deepEqual(found, contents);
  const { compactedRevision } = await store.status();
  assert.equal(compactedRevision, 8);
  const leases = await Promise.all((await store.leases()).map(async (id) => [id, (await store.lease(id))?.grantedTtlSeconds]));
  assert.deepEqual(leases, [
    [9n, 50],
    [0x7fff_ffff_ffff_fff1n, 100_000],
  ]);
}

/** Of the database and its log: length and checksum. */
const bytes = (directory: string): string[] =>
  ["store.db", "store.db-wal"].map((file) => {
    const content = readFileSync(join(directory, file));
    return `${file} ${content.length} ${crc32(content)}`;
  });

suite("a directory of another version", () => {
  test("the first schema opens with everything it held, at every revision, and goes on", async () => {
    using scratch = new Scratch("upgrade");
    placeSchema1(scratch.path);
    for (const time of ["first", "second"]) {
      await using store = await openStore(scratch.path);
      assert.equal(store.revision, 18, time);
      await assertContents(store);
    }
    {
      await using store = await openStore(scratch.path);
      await put(store, "/after", "1");
      await store.revokeLease(9n);
      await store.compact(18);
    }
    await using store = await openStore(scratch.path);
    assert.deepEqual(
      [store.revision, (await store.status()).compactedRevision, await store.leases()],
      [19, 18, [0x7fff_ffff_ffff_fff1n]],
    );
  });

  test("damage in the first schema is found before it is brought up to date, and left as it is", async () => {
    using scratch = new Scratch("upgrade");
    for (const damage of [
      "UPDATE changes SET value=CAST('two keys at twice' AS BLOB) WHERE row=15",
      "UPDATE changes SET version=9 WHERE row=16",
      "DELETE FROM changes WHERE row=10",
    ]) {
      const [live, dead] = [join(scratch.path, "live"), join(scratch.path, "dead")];
      placeSchema1(live);
      const database = new DatabaseSync(join(live, "store.db"));
      database.exec(damage);
      cpSync(live, dead, { recursive: true }); // with the log, which closing would copy into the file
      database.close();
      const before = bytes(dead);
      await assert.rejects(openStore(dead), storeError("corrupt", /checksum|rows were written/), damage);
      assert.deepEqual(bytes(dead), before, damage);
    }
  });

  test("a newer schema is refused with what to do, and left as it is, its log as well", async () => {
    using scratch = new Scratch("upgrade");
    const [live, dead] = [join(scratch.path, "live"), join(scratch.path, "dead")];
    await using store = await openStore(live);
    await put(store, "/a", "1");
    const database = new DatabaseSync(join(live, "store.db"));
    database.exec("PRAGMA user_version=99");
    cpSync(live, dead, { recursive: true });
    database.close();
    const before = bytes(dead);
    assert.doesNotMatch(before[1] ?? "", / 0 0$/, "there is a log");
    const told = /Cannot open the store ".*": the file has schema 99, this version of Tiphys knows \d+; use the newer version$/;
    await assert.rejects(openStore(dead), storeError("unavailable", told));
    assert.deepEqual(bytes(dead), before);
  });

  test("a database of another program is refused and left as it is", async () => {
    using scratch = new Scratch("upgrade");
    const file = join(scratch.path, "store.db");
    const database = new DatabaseSync(file);
    database.exec("CREATE TABLE kine(id INTEGER PRIMARY KEY)");
    database.close();
    const before = readFileSync(file);
    await assert.rejects(openStore(scratch.path), storeError("corrupt", /the file belongs to another program/));
    assert.ok(readFileSync(file).equals(before));
  });
});
