// Snapshots both ways: a real etcd restores ours, our store on disk restores a real etcd's (skipped where etcd is missing).
import assert from "node:assert/strict";
import { execFile, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite, test } from "node:test";
import { promisify } from "node:util";
import { silentLog, systemClock, systemRandom } from "#base";
import {
  type KeyValue,
  openDiskStore,
  openMemoryStore,
  replay,
  restoreSnapshot,
  type Store,
  StoreError,
  saveSnapshot,
  snapshotStatus,
  startEtcdServer,
} from "#store";
import { etcdMissing, startRealEtcd } from "./support/real-etcd.ts";

const run = promisify(execFile);
const skip =
  etcdMissing ??
  (spawnSync("etcdctl", ["version"], { env: { ...process.env, ETCDCTL_API: "3" } }).status === 0 ? false : "no etcdctl");

const etcdctl = async (...args: string[]): Promise<string> =>
  (await run("etcdctl", args, { env: { ...process.env, ETCDCTL_API: "3" }, timeout: 60_000 })).stdout;

const put = (key: string, value: string, lease = 0n) => ({ kind: "put" as const, key, value: Buffer.from(value), lease });
const write = (store: Store, ...then: Parameters<Store["transact"]>[0]["then"]) => store.transact({ if: [], then });

/** Transactions of several changes, deletions, leases, large values, a compaction in the middle and history after it. */
async function fill(store: Store): Promise<void> {
  await store.grantLease(3600, 0x1234n);
  await store.grantLease(7200, 0x7fff_ffff_ffff_0001n);
  await write(store, put("/a", "1"), put("/b", "1"), put("/c", "1"));
  await write(store, put("/a", "2", 0x1234n));
  await write(store, put("/b", "2"), put("/gone", "1"), put("/d", "1", 0x7fff_ffff_ffff_0001n));
  await write(store, { kind: "delete", key: "/gone" });
  await write(store, put("/empty", ""), put("/large", "x".repeat(1_000_000)));
  for (let i = 0; i < 200; i++) await write(store, put(`/many/${i % 70}`, `${i} ${"v".repeat(i * 20)}`));
  await store.compact(store.revision - 90);
  await write(store, { kind: "delete", key: "/many/1", end: "/many/2" });
  await write(store, put("/c", "2"), put("/many/1", "again"), put("/e", "1"));
}

const plain = (kvs: readonly KeyValue[]) =>
  kvs.map(({ key, value, createRevision, modRevision, version, lease }) => ({
    key,
    value: value.toString(),
    createRevision,
    modRevision,
    version,
    lease,
  }));

/** Everything a client can see, at the latest revision and at an older one. */
async function visible(store: Store) {
  const older = (await store.status()).revision - 40;
  const leases = await Promise.all((await store.leases()).map((id) => store.lease(id)));
  return {
    revision: (await store.range("/", { end: "\0", limit: 1 })).revision,
    now: plain((await store.range("/", { end: "\0" })).kvs),
    older: plain((await store.range("/", { end: "\0", revision: older })).kvs),
    leases: leases.map((lease) => [lease?.id, lease?.grantedTtlSeconds, [...(lease?.keys ?? [])].sort()]),
  };
}

/** What one etcd says of its history; revision 0: the latest. */
async function hashAt(url: string, revision = 0): Promise<unknown> {
  const endpoint = url.replace("http://", "");
  const [answer] = JSON.parse(await etcdctl("--endpoints", endpoint, "endpoint", "hashkv", `--rev=${revision}`, "-w", "json"));
  const { hash, compact_revision, header } = answer.HashKV;
  return { hash, compact_revision, revision: header.revision };
}

const scratch = (): { readonly path: string } & Disposable => {
  const path = mkdtempSync(join(tmpdir(), "tiphys-snapshot-"));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) };
};

const options = { clock: systemClock, random: systemRandom, log: silentLog, compactEveryMs: 0 };

const serve = (store: Store) => startEtcdServer({ store, clock: systemClock, log: silentLog, listen: "127.0.0.1:0" });

/** A real etcd that has restored a snapshot. */
const restoredEtcd = (snapshot: string) =>
  startRealEtcd(async (directory, peers) => {
    const flags = ["--name=one", `--initial-cluster=one=${peers}`, `--initial-advertise-peer-urls=${peers}`];
    await etcdctl("snapshot", "restore", snapshot, `--data-dir=${directory}`, ...flags);
  });

suite("snapshots", { skip, timeout: 120_000 }, () => {
  for (const kind of ["memory", "disk"] as const) {
    test(`a real etcd restores what etcdctl saves from our ${kind} store, and has its hash`, async () => {
      using directory = scratch();
      await using ours =
        kind === "memory"
          ? openMemoryStore(options)
          : await openDiskStore({ ...options, directory: join(directory.path, "store") });
      await fill(ours);
      await using server = await serve(ours);
      const file = join(directory.path, "save.db");
      await etcdctl("--endpoints", server.url, "snapshot", "save", file);
      const status = JSON.parse(await etcdctl("snapshot", "status", file, "-w", "json"));
      assert.equal(status.revision, ours.revision);

      using etcd = await restoredEtcd(file);
      await using theirs = await etcd.connect();
      const expected = await visible(ours);
      assert.deepEqual(await visible(theirs), expected);
      assert.ok(expected.now.length > 60);
      for (const revision of [0, ours.revision - 1, ours.revision - 40]) {
        assert.deepEqual(await hashAt(server.url, revision), await hashAt(etcd.url, revision));
      }
    });
  }

  test("our disk store restores what etcdctl saves from a real etcd, and has its hash", async () => {
    using directory = scratch();
    const [file, data] = [join(directory.path, "save.db"), join(directory.path, "store")];
    using etcd = await startRealEtcd();
    await using theirs = await etcd.connect();
    await fill(theirs);
    await etcdctl("--endpoints", etcd.url, "snapshot", "save", file);
    const status = JSON.parse(await etcdctl("snapshot", "status", file, "-w", "json"));
    const { hash, revision } = snapshotStatus(file);
    assert.deepEqual({ hash, revision }, { hash: status.hash, revision: status.revision });

    assert.equal(restoreSnapshot({ file, directory: data }), status.revision);
    await using ours = await openDiskStore({ ...options, directory: data });
    assert.deepEqual(await visible(ours), await visible(theirs));
    await using server = await serve(ours);
    for (const at of [0, revision - 1, revision - 40]) assert.deepEqual(await hashAt(server.url, at), await hashAt(etcd.url, at));
    // Life goes on in both in the same way.
    for (const store of [ours, theirs]) await write(store, put("/after", "1"), { kind: "delete", key: "/a" });
    await ours.compact(revision + 1);
    await theirs.compact(revision + 1);
    await write(ours, put("/after", "2"));
    await write(theirs, put("/after", "2"));
    assert.deepEqual(await hashAt(server.url), await hashAt(etcd.url));
  });

  test("a real etcd into which a history is written again has the same revisions, leases and hash", async () => {
    await using ours = openMemoryStore(options);
    await fill(ours);
    using etcd = await startRealEtcd();
    await using theirs = await etcd.connect();
    using history = await ours.history();
    await replay(history, theirs);
    assert.deepEqual(await visible(theirs), await visible(ours));
    await using server = await serve(ours);
    for (const at of [0, ours.revision - 1, ours.revision - 40])
      assert.deepEqual(await hashAt(server.url, at), await hashAt(etcd.url, at));
  });

  test("after a restore that bumps the revision a watch from before is told to list again", async () => {
    using directory = scratch();
    const [file, data] = [join(directory.path, "save.db"), join(directory.path, "store")];
    {
      await using memory = openMemoryStore(options);
      await fill(memory);
      using history = await memory.history();
      await saveSnapshot(history, file);
    }
    const { revision, totalKeys } = snapshotStatus(file);
    assert.equal(restoreSnapshot({ file, directory: data, bumpRevision: 1000 }), revision + 1000);
    await using store = await openDiskStore({ ...options, directory: data });
    const { revision: at, kvs } = await store.range("\0", { end: "\0" });
    assert.deepEqual([at, kvs.length], [revision + 1000, totalKeys]);
    await using watch = await store.watch({ key: "\0", end: "\0", startRevision: revision + 20 }, () => {});
    assert.equal((await watch.closed)?.compactedRevision, revision + 1000);
    assert.equal((await write(store, put("/next", "1"))).revision, revision + 1001);
  });

  test("a damaged snapshot is refused with what is wrong, and nothing is written", async () => {
    using directory = scratch();
    const [file, data] = [join(directory.path, "save.db"), join(directory.path, "store")];
    await using memory = openMemoryStore(options);
    await fill(memory);
    using history = await memory.history();
    await saveSnapshot(history, file);
    const whole = readFileSync(file);
    const body = whole.length - 32;
    const flipped = (at: number): Buffer => {
      const copy = Buffer.from(whole);
      copy[at] = (copy[at] as number) ^ 1;
      return copy;
    };
    /** As if the damage had been there before the checksum was made. */
    const sealed = (copy: Buffer): Buffer => {
      const end = copy.length - 32;
      createHash("sha256").update(copy.subarray(0, end)).digest().copy(copy, end);
      return copy;
    };
    const root = 4096 * (body / 4096 - 1);
    const damaged: readonly (readonly [Buffer, RegExp])[] = [
      [whole.subarray(0, whole.length - 1), /no checksum at its end: it is cut off/],
      [whole.subarray(0, 32), /neither|not a snapshot of etcd|SHA-256/],
      [Buffer.alloc(0), /no checksum at its end/],
      [flipped(20_000), /its SHA-256 does not match/],
      [flipped(body + 3), /its SHA-256 does not match/],
      [sealed(flipped(root)), /page \d+: its header is damaged/],
      [sealed(flipped(root + 8)), /neither branch nor leaf/],
      // Five empty buckets come before "key".
      [sealed(flipped(8 * 4096 + 16 + 4)), /is no revision/],
      [sealed(Buffer.concat([whole.subarray(0, body - 4096), Buffer.alloc(32)])), /it is cut off/],
    ];
    for (const [bytes, expected] of damaged) {
      writeFileSync(file, bytes);
      assert.throws(
        () => restoreSnapshot({ file, directory: data }),
        (error) => error instanceof StoreError && error.code === "corrupt" && expected.test(error.message),
      );
      assert.deepEqual(readdirSync(directory.path), ["save.db"]);
    }
    writeFileSync(file, whole);
    restoreSnapshot({ file, directory: data });
    assert.throws(() => restoreSnapshot({ file, directory: data }), /something is there; move it away first/);
  });
});
