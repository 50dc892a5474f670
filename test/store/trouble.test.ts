// Bad days of the disk store: a second process, a file in the way, rows that somebody has changed, a quota.
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { suite, test } from "node:test";
import { VirtualClock } from "#base";
import { claimDirectory, StoreError } from "#store";
import { openStore, put, Scratch, storeError } from "./support/scratch.ts";

suite("DiskStore in trouble", () => {
  test("a second open of the directory names the process that has it", async () => {
    using directory = new Scratch("trouble");
    await using store = await openStore(directory.path);
    await put(store, "/a", "1");
    await assert.rejects(openStore(directory.path), storeError("unavailable", new RegExp(`pid ${process.pid} is using it`)));
    const other = `import { claimDirectory } from "#store"; try { claimDirectory(process.argv[1]) } catch (e) { console.log(e.code + " " + e.message) }`;
    const answer = execFileSync(process.execPath, ["--input-type=module", "-e", other, directory.path], { encoding: "utf8" });
    assert.match(answer, new RegExp(`^unavailable .*pid ${process.pid} is using it`));
  });

  test("the lock of a dead process is no obstacle", async () => {
    using directory = new Scratch("trouble");
    const script = `import { claimDirectory } from "#store"; claimDirectory(process.argv[1]); process.kill(process.pid, "SIGKILL")`;
    spawnSync(process.execPath, ["--input-type=module", "-e", script, directory.path]);
    assert.ok(statSync(join(directory.path, "pid")).isFile(), "the dead process had claimed it");
    claimDirectory(directory.path)[Symbol.dispose]();
  });

  test("a file in the way, and a file of another program, are named with the next step", async () => {
    using directory = new Scratch("trouble");
    const file = join(directory.path, "file");
    writeFileSync(file, "not a directory");
    await assert.rejects(openStore(file), storeError("unavailable", /a file is in the way/));
    const garbage = join(directory.path, "garbage");
    mkdirSync(garbage);
    writeFileSync(join(garbage, "store.db"), "this is no database at all".repeat(100));
    await assert.rejects(openStore(garbage), storeError("corrupt", /restore a snapshot, or move the directory away/));
  });

  test("a row that has vanished or changed is found when the store is opened", async () => {
    for (const damage of [
      "DELETE FROM changes WHERE row=3",
      "UPDATE changes SET value=CAST('other' AS BLOB) WHERE row=3",
      "UPDATE changes SET lease=7 WHERE row=3",
      "UPDATE changes SET revision=revision+1 WHERE row=3",
      "DELETE FROM leases",
      "UPDATE leases SET ttl=ttl+1",
      "UPDATE leases SET id=id+1",
      "UPDATE facts SET value=value+1 WHERE name='compactedRevision'",
      "DELETE FROM facts WHERE name='compactedRevision'",
    ]) {
      using directory = new Scratch("trouble");
      const store = await openStore(directory.path);
      for (let i = 0; i < 5; i++) await put(store, `/k/${i}`, "value");
      await store.grantLease(60, 5n);
      await store.compact(2);
      await store[Symbol.asyncDispose]();
      const database = new DatabaseSync(join(directory.path, "store.db"));
      database.exec(damage);
      database.close();
      await assert.rejects(openStore(directory.path), storeError("corrupt", /(rows|leases) were written|checksum/), damage);
    }
  });

  test("above the quota puts are refused with NOSPACE; reads, deletions and compaction go on, and space ends the alarm", async () => {
    using directory = new Scratch("trouble");
    const clock = new VirtualClock();
    await using store = await openStore(directory.path, { quotaBytes: 4 * 1024 * 1024, clock });
    const value = Buffer.alloc(200_000, "q");
    let refusal: unknown;
    for (let i = 0; i < 200 && refusal === undefined; i++) {
      await put(store, `/q/${i}`, value).catch((error) => {
        refusal = error;
      });
    }
    assert.ok(refusal instanceof StoreError && refusal.code === "noSpace", String(refusal));
    assert.equal((await store.status()).alarm?.kind, "NOSPACE");
    assert.ok(store.get("/q/0") !== undefined);
    await store.transact({ if: [], then: [{ kind: "delete", key: "/q/", end: "/q0" }] });
    await store.compact(store.revision);
    for (let i = 0; i < 5000 && (await store.status()).alarm !== undefined; i++) await clock.advance(10_000);
    await put(store, "/after", "1");
  });
});
