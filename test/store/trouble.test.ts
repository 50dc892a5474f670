// Bad days of the disk store: a second process, damaged files, a full disk, a disk that fails.
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import {
  closeSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  readSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { suite, test } from "node:test";
import { randomInt, seededRandom, silentLog, systemClock, VirtualClock } from "#base";
import { claimDirectory, type DiskStore, openDiskStore, type Store, StoreError } from "#store";

class Directory implements Disposable {
  readonly path = mkdtempSync(join(tmpdir(), "tiphys-trouble-"));
  [Symbol.dispose](): void {
    rmSync(this.path, { recursive: true, force: true });
  }
}

const open = (directory: string, more: object = {}): Promise<DiskStore> =>
  openDiskStore({ directory, clock: systemClock, random: seededRandom(1), log: silentLog, compactEveryMs: 0, ...more });

const put = (store: Store, key: string, value: string | Buffer) =>
  store.transact({ if: [], then: [{ kind: "put", key, value: Buffer.from(value) }] });

const code = (expected: string, message: RegExp) => (error: unknown) => {
  assert.ok(error instanceof StoreError, String(error));
  assert.equal(error.code, expected);
  assert.match(error.message, message);
  return true;
};

/** A directory whose store died without closing: database, write-ahead log, marker. */
async function deadStore(path: string, writes: number): Promise<string> {
  const live = join(path, "live");
  const dead = join(path, "dead");
  await using store = await open(live);
  for (let i = 0; i < writes; i++) await put(store, `/k/${i % 10}`, `${i} ${"x".repeat((i * 331) % 6000)}`);
  cpSync(live, dead, { recursive: true });
  return dead;
}

suite("DiskStore in trouble", () => {
  test("a second open of the directory names the process that has it", async () => {
    using directory = new Directory();
    await using store = await open(directory.path);
    await put(store, "/a", "1");
    await assert.rejects(open(directory.path), code("unavailable", new RegExp(`pid ${process.pid} is using it`)));
    const other = `import { claimDirectory } from "#store"; try { claimDirectory(process.argv[1]) } catch (e) { console.log(e.code + " " + e.message) }`;
    const answer = execFileSync(process.execPath, ["--input-type=module", "-e", other, directory.path], { encoding: "utf8" });
    assert.match(answer, new RegExp(`^unavailable .*pid ${process.pid} is using it`));
  });

  test("the lock of a dead process is no obstacle", async () => {
    using directory = new Directory();
    const script = `import { claimDirectory } from "#store"; claimDirectory(process.argv[1]); process.kill(process.pid, "SIGKILL")`;
    spawnSync(process.execPath, ["--input-type=module", "-e", script, directory.path]);
    assert.ok(statSync(join(directory.path, "pid")).isFile(), "the dead process had claimed it");
    claimDirectory(directory.path)[Symbol.dispose]();
  });

  test("a file in the way, and a file of another program, are named with the next step", async () => {
    using directory = new Directory();
    const file = join(directory.path, "file");
    writeFileSync(file, "not a directory");
    await assert.rejects(open(file), code("unavailable", /a file is in the way/));
    const garbage = join(directory.path, "garbage");
    mkdirSync(garbage);
    writeFileSync(join(garbage, "store.db"), "this is no database at all".repeat(100));
    await assert.rejects(open(garbage), code("corrupt", /restore a snapshot, or move the directory away/));
  });

  test("a file of a newer schema is refused and left alone", async () => {
    using directory = new Directory();
    await (await open(directory.path))[Symbol.asyncDispose]();
    const file = join(directory.path, "store.db");
    const database = new DatabaseSync(file);
    database.exec("PRAGMA user_version=99");
    database.close();
    const before = readFileSync(file);
    await assert.rejects(open(directory.path), code("corrupt", /schema 99.*use the newer version/));
    assert.ok(readFileSync(file).equals(before));
  });

  test("a row that has vanished or changed is found when the store is opened", async () => {
    for (const damage of [
      "DELETE FROM changes WHERE row=3",
      "UPDATE changes SET value=CAST('other' AS BLOB) WHERE row=3",
      "UPDATE changes SET lease=7 WHERE row=3",
      "UPDATE changes SET revision=revision+1 WHERE row=3",
    ]) {
      using directory = new Directory();
      const store = await open(directory.path);
      for (let i = 0; i < 5; i++) await put(store, `/k/${i}`, "value");
      await store[Symbol.asyncDispose]();
      const database = new DatabaseSync(join(directory.path, "store.db"));
      database.exec(damage);
      database.close();
      await assert.rejects(open(directory.path), code("corrupt", /rows were written|checksum/), damage);
    }
  });

  test("a flipped bit anywhere is found, or harmless; never silent", { timeout: 60_000 }, async () => {
    using directory = new Directory();
    const dead = await deadStore(directory.path, 40);
    const random = seededRandom(7);
    const expected = await contents(dead, directory.path);
    let refused = 0;
    for (let i = 0; i < 40; i++) {
      const copy = join(directory.path, `copy-${i}`);
      cpSync(dead, copy, { recursive: true });
      const file = join(copy, i % 2 === 0 ? "store.db-wal" : "store.db");
      flipBit(file, randomInt(random, statSync(file).size), randomInt(random, 8));
      try {
        await using store = await open(copy);
        assert.deepEqual(all(store), expected, `flip ${i} went unnoticed`);
      } catch (error) {
        if (!(error instanceof StoreError)) throw error;
        assert.equal(error.code, "corrupt", error.message);
        refused++;
      }
      rmSync(copy, { recursive: true });
    }
    assert.ok(refused > 0, "some flips hit data");
  });

  test("a write-ahead log cut short of what was acknowledged is refused; one cut in the unacknowledged is not", async () => {
    using directory = new Directory();
    const dead = await deadStore(directory.path, 20);
    const wal = join(dead, "store.db-wal");
    const cut = join(directory.path, "cut");
    cpSync(dead, cut, { recursive: true });
    truncateSync(join(cut, "store.db-wal"), statSync(wal).size - 100);
    await assert.rejects(open(cut), code("corrupt", /revision 21 was acknowledged and the newest in the file is 20/));
    // The same cut when the last write had not been acknowledged yet.
    writeFileSync(join(cut, "acknowledged"), "0000000000000020\n");
    cpSync(wal, join(cut, "store.db-wal"));
    truncateSync(join(cut, "store.db-wal"), statSync(wal).size - 100);
    await using store = await open(cut);
    assert.equal(store.revision, 20);
  });

  test("above the quota puts are refused with NOSPACE; reads, deletions and compaction go on, and space ends the alarm", async () => {
    using directory = new Directory();
    const clock = new VirtualClock();
    await using store = await open(directory.path, { quotaBytes: 4 * 1024 * 1024, clock });
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
    for (let i = 0; i < 100 && (await store.status()).alarm !== undefined; i++) await clock.advance(10_000);
    await put(store, "/after", "1");
  });

  const noMount = process.getuid?.() === 0 ? false : "needs root to mount a small file system";
  test("a full disk raises NOSPACE, keeps every acknowledged write and recovers when there is room", {
    skip: noMount,
  }, async (t) => {
    using directory = new Directory();
    const mount = join(directory.path, "mount");
    mkdirSync(mount);
    if (spawnSync("mount", ["-t", "tmpfs", "-o", "size=96m", "tmpfs", mount]).status !== 0)
      return t.skip("cannot mount a tmpfs here");
    try {
      const clock = new VirtualClock();
      await using store = await open(join(mount, "store"), { clock });
      const acknowledged = new Map<string, number>();
      let refusals = 0;
      for (let i = 0; i < 2000 && refusals < 5; i++) {
        await put(store, `/f/${i}`, Buffer.alloc(64 * 1024, `${i} `)).then(
          ({ revision }) => acknowledged.set(`/f/${i}`, revision),
          (error) => {
            assert.equal((error as StoreError).code, "noSpace", String(error));
            refusals++;
          },
        );
      }
      assert.equal(refusals, 5);
      assert.equal((await store.status()).alarm?.kind, "NOSPACE");
      for (const [key, revision] of acknowledged) assert.equal((await store.get(key))?.modRevision, revision);
      // Deletions and compaction use the reserve; then there is room.
      await store.transact({ if: [], then: [{ kind: "delete", key: "/f/", end: "/f0" }] });
      await store.compact(store.revision);
      await store[Symbol.asyncDispose]();
      await using again = await open(join(mount, "store"), { clock });
      assert.equal((await again.status()).keyCount, 0);
      for (let i = 0; i < 20 && again.get("/after") === undefined; i++) {
        await put(again, "/after", "1").catch(() => clock.advance(10_000));
      }
      assert.ok(again.get("/after") !== undefined, "there is room again");
    } finally {
      spawnSync("umount", ["--lazy", mount]);
    }
  });

  const noStrace = spawnSync("strace", ["-V"]).status === 0 ? false : "needs strace to make a system call fail";
  test("a failed fsync makes the store read-only, and opening it again recovers", {
    skip: noStrace,
    timeout: 60_000,
  }, async () => {
    using directory = new Directory();
    const child = new URL("./failing-child.ts", import.meta.url).pathname;
    const { stdout, stderr } = spawnSync(
      "strace",
      [
        "-f",
        "-qq",
        "-o",
        "/dev/null",
        "-e",
        "trace=fdatasync,fsync",
        "-e",
        "inject=fdatasync,fsync:error=EIO:when=40+",
        process.execPath,
        child,
        directory.path,
      ],
      { encoding: "utf8", timeout: 50_000 },
    );
    assert.match(stdout, /^acknowledged \d+, refused unknownOutcome readOnly, alarm READONLY, reads go on$/m, stdout + stderr);
    const acknowledged = Number(/acknowledged (\d+)/.exec(stdout)?.[1]);
    assert.ok(acknowledged > 0);
    await using store = await open(directory.path);
    for (let i = 0; i < acknowledged; i++) assert.equal((await store.get(`/e/${i}`))?.value.toString(), String(i));
    await put(store, "/after", "1");
  });
});

function all(store: Store): string[] {
  const result = store.range("\0", { end: "\0" });
  assert.ok(!(result instanceof Promise));
  return result.kvs.map((kv) => `${kv.key} ${kv.modRevision} ${kv.version} ${kv.value.toString("latin1")}`);
}

async function contents(dead: string, scratch: string): Promise<string[]> {
  const copy = join(scratch, "untouched");
  cpSync(dead, copy, { recursive: true });
  await using store = await open(copy);
  return all(store);
}

function flipBit(file: string, at: number, bit: number): void {
  const fd = openSync(file, "r+");
  const byte = Buffer.alloc(1);
  readSync(fd, byte, 0, 1, at);
  byte[0] = (byte[0] as number) ^ (1 << bit); // one byte was read
  writeSync(fd, byte, 0, 1, at);
  closeSync(fd);
}
