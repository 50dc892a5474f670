// Files that are cut, garbled or have a bit flipped: recovered to a prefix that holds everything acknowledged, or refused with a clear
// error and left as they are; never something else.
// DAMAGES=10000 node --test test/store/damage.test.ts
import assert from "node:assert/strict";
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { suite, test } from "node:test";
import { type Random, randomInt, seededRandom } from "#base";
import type { DiskStore, KeyValue } from "#store";
import { Corrupt } from "../../src/store/disk/corrupt.ts";
import { recovered } from "./support/recovered.ts";
import { openStore, put, Scratch, storeError, times } from "./support/scratch.ts";

const damages = times("DAMAGES", 400);
const seed = times("DAMAGE_SEED", 1);

const files = ["store.db", "store.db-wal", "acknowledged"] as const;
type File = (typeof files)[number];
type Bytes = Readonly<Record<File, Buffer>>;

/** A store that died or was closed, and what it held after each of its steps. */
interface Dead {
  readonly bytes: Bytes;
  readonly pictures: readonly string[];
  /** The file `acknowledged` after each step. */
  readonly marks: readonly Buffer[];
}

const line = (kv: KeyValue): string =>
  `${kv.key} ${kv.createRevision} ${kv.modRevision} ${kv.version} ${kv.lease} ${kv.value.toString("latin1")}`;

const pictureOf = (revision: number, compacted: number, leases: readonly string[], kvs: readonly KeyValue[]): string =>
  [`revision ${revision} compacted ${compacted}`, ...[...leases].sort(), ...kvs.map(line)].join("\n");

async function picture(store: DiskStore): Promise<string> {
  const { revision, compactedRevision } = await store.status();
  const ids = await store.leases();
  const leases = await Promise.all(ids.map(async (id) => `lease ${id} ${(await store.lease(id))?.grantedTtlSeconds}`));
  return pictureOf(revision, compactedRevision, leases, (await store.range("\0", { end: "\0" })).kvs);
}

/** The same, without threads. */
function recoveredPicture(directory: string): string {
  const { revision, compactedRevision, leases, kvs } = recovered(directory);
  const lines = leases.map(({ id, ttlSeconds }) => `lease ${id} ${ttlSeconds}`);
  return pictureOf(revision, compactedRevision, lines, kvs);
}

/** Stays where it is while everything else changes. */
const cold = (store: DiskStore, i: number) => put(store, `/cold/${i}`, value(i * 11));

const value = (i: number): string => `${i} ${String.fromCharCode(97 + (i % 26)).repeat((i * 331) % 4000)}`;

/** Part of it is in the database already, with free pages in it, the rest in the log. */
const steps: readonly ((store: DiskStore) => Promise<unknown>)[] = [
  (store) => store.grantLease(1000, 7n),
  (store) => store.grantLease(2000, 0x7fff_ffff_ffff_fff1n),
  ...Array.from({ length: 30 }, (_, i) => (store: DiskStore) => put(store, `/k/${i % 10}`, value(i))),
  ...Array.from({ length: 40 }, (_, i) => (store: DiskStore) => cold(store, i)),
  (store) => store.transact({ if: [], then: [{ kind: "delete", key: "/k/0", end: "/k/4" }] }),
  (store) => store.compact(20),
  (store) => store.defragment(),
  (store) => store.revokeLease(7n),
  (store) => store.grantLease(500, 9n),
  ...Array.from({ length: 12 }, (_, i) => (store: DiskStore) => put(store, `/k/${i % 5}`, value(i + 100))),
  (store) =>
    store.transact({
      if: [],
      then: [
        { kind: "delete", key: "/k/4" },
        { kind: "put", key: "/l", value: Buffer.from("two"), lease: 9n },
      ],
    }),
  (store) => put(store, "/last", "written"),
  // What has no revision comes last: a log cut here loses nothing else.
  (store) => store.grantLease(300, 11n),
  (store) => store.compact(25),
  (store) => store.revokeLease(11n),
];

/** A log that is not there counts as empty. */
const readAll = (directory: string): Bytes =>
  Object.fromEntries(
    files.map((file) => [file, existsSync(join(directory, file)) ? readFileSync(join(directory, file)) : Buffer.alloc(0)]),
  ) as Bytes;

async function makeStores(scratch: string): Promise<{ readonly dead: Dead; readonly closed: Dead }> {
  const live = join(scratch, "live");
  const pictures: string[] = [];
  const marks: Buffer[] = [];
  {
    await using store = await openStore(live);
    for (const step of steps) {
      await step(store);
      pictures.push(await picture(store));
      marks.push(readFileSync(join(live, "acknowledged")));
    }
    cpSync(live, join(scratch, "dead"), { recursive: true });
  }
  const [dead, closed] = [join(scratch, "dead"), live].map((directory) => ({ bytes: readAll(directory), pictures, marks }));
  return { dead, closed } as { dead: Dead; closed: Dead }; // two went in
}

interface Damage {
  readonly name: string;
  readonly bytes: Bytes;
  /** Everything up to this step had been acknowledged. */
  readonly acknowledged: number;
}

const change = (bytes: Bytes, file: File, to: Buffer): Bytes => ({ ...bytes, [file]: to });

const pageBytes = 16_384;

/** Anywhere; or near the end, where a power cut leaves its mark; or on what some page holds, however small. */
function somewhere(bytes: Buffer, random: Random): number {
  const kind = randomInt(random, 3);
  if (kind === 0) return randomInt(random, bytes.length);
  if (kind === 1) return bytes.length - 1 - randomInt(random, Math.min(bytes.length, 8192));
  const start = randomInt(random, Math.ceil(bytes.length / pageBytes)) * pageBytes;
  const used = [...bytes.subarray(start, start + pageBytes).entries()].filter(([, byte]) => byte !== 0);
  return start + (used[randomInt(random, Math.max(used.length, 1))]?.[0] ?? 0);
}

function damage(dead: Dead, random: Random): Damage {
  const logged = dead.bytes["store.db-wal"].length > 0;
  const file: File =
    randomInt(random, 50) === 0 ? "acknowledged" : logged && randomInt(random, 2) === 0 ? "store.db-wal" : "store.db";
  const at = somewhere(dead.bytes[file], random);
  const { length } = dead.bytes[file];
  const size = 1 + randomInt(random, 8192);
  // What was acknowledged was not always everything that had reached the log.
  const acknowledged = randomInt(random, 2) === 0 ? dead.marks.length - 1 : randomInt(random, dead.marks.length);
  const bytes = change(dead.bytes, "acknowledged", dead.marks[acknowledged] as Buffer); // inside the list
  const damaged = Buffer.from(bytes[file]);
  const kind = randomInt(random, 6);
  if (kind === 0) return { name: `${file} cut at ${at}`, bytes: change(bytes, file, damaged.subarray(0, at)), acknowledged };
  if (kind === 1) damaged.fill(0, at, Math.min(at + size, length));
  else if (kind === 2) for (let i = at; i < Math.min(at + size, damaged.length); i++) damaged[i] = randomInt(random, 256);
  else
    damaged[Math.min(at, damaged.length - 1)] =
      (damaged[Math.min(at, damaged.length - 1)] as number) ^ (1 << randomInt(random, 8)); // inside
  const what = ["", `${size} zeros`, `${size} bytes garbled`][kind] ?? "a bit flipped";
  return { name: `${file}: ${what} at ${at}`, bytes: change(bytes, file, damaged), acknowledged };
}

function place(directory: string, bytes: Bytes): void {
  rmSync(directory, { recursive: true, force: true });
  mkdirSync(directory);
  for (const file of files) if (bytes[file].length > 0 || file === "store.db") writeFileSync(join(directory, file), bytes[file]);
}

/** Whoever opens a store whose damage does no harm may go on with it. */
async function goOn(directory: string): Promise<void> {
  let before: string;
  {
    await using store = await openStore(directory);
    for (let i = 0; i < 20; i++) await put(store, `/after/${i}`, value(i));
    await store.compact(store.revision - 3);
    await store.defragment();
    before = await picture(store);
  }
  await using store = await openStore(directory);
  assert.equal(await picture(store), before);
}

suite("a damaged store", () => {
  test(`${damages} damages: each is refused, or does not show`, { timeout: 120_000 + damages * 100 }, async () => {
    using scratch = new Scratch("damage", { inMemory: true });
    const started = performance.now();
    const stores = await makeStores(scratch.path);
    const random = seededRandom(seed);
    const counts = { refused: 0, whole: 0, prefix: 0, wentOn: 0 };
    const directory = join(scratch.path, "damaged");
    for (let i = 0; i < damages; i++) {
      const dead = i % 3 === 0 ? stores.closed : stores.dead;
      const { name, bytes, acknowledged } = damage(dead, random);
      const where = `damage ${i} of seed ${seed}: ${name}`;
      place(directory, bytes);
      try {
        const index = dead.pictures.lastIndexOf(recoveredPicture(directory));
        assert.ok(index >= acknowledged, `${where}: ${index < 0 ? "holds something else" : "lost what was acknowledged"}`);
        if (index === dead.pictures.length - 1) counts.whole++;
        else counts.prefix++;
        if ((counts.whole + counts.prefix) % 40 === 0) {
          await goOn(directory).catch((error) => storeErrorOnly(where, error));
          counts.wentOn++;
        }
      } catch (error) {
        refusedClearly(where, error);
        counts.refused++;
        const after = readAll(directory);
        for (const file of files) assert.ok(after[file].equals(bytes[file]), `${where}: refused and changed ${file}`);
      }
    }
    const seconds = ((performance.now() - started) / 1000).toFixed(1);
    console.log(`# ${damages} damages, 0 silent: ${JSON.stringify(counts)}, ${seconds} s`);
    assert.ok(counts.refused > damages / 10 && counts.prefix > 0, JSON.stringify(counts));
  });

  test("a file without a header, or gone, is refused where something was acknowledged, and its log stays", async () => {
    using scratch = new Scratch("damage", { inMemory: true });
    const { bytes } = (await makeStores(scratch.path)).dead;
    const directory = join(scratch.path, "damaged");
    for (const length of [0, 1, 99]) {
      place(directory, change(bytes, "store.db", bytes["store.db"].subarray(0, length)));
      if (length === 0) rmSync(join(directory, "store.db"));
      await assert.rejects(
        openStore(directory),
        storeError("corrupt", /revision \d+ was acknowledged and the newest in the file is 0/),
      );
      assert.ok(readAll(directory)["store.db-wal"].equals(bytes["store.db-wal"]));
    }
  });

  test("a refused store says what is wrong and what to do next", async () => {
    using scratch = new Scratch("damage", { inMemory: true });
    const { bytes } = (await makeStores(scratch.path)).dead;
    const directory = join(scratch.path, "damaged");
    const log = bytes["store.db-wal"];
    place(directory, change(bytes, "store.db-wal", log.subarray(0, -100)));
    const lost = /8 changes of leases and compactions were acknowledged and 7 are in the file: .* restore a snapshot/;
    await assert.rejects(openStore(directory), storeError("corrupt", lost));
    place(directory, change(bytes, "store.db-wal", log.subarray(0, log.length / 2)));
    const told = /revision \d+ was acknowledged and the newest in the file is \d+: .* restore a snapshot/;
    await assert.rejects(openStore(directory), storeError("corrupt", told));
  });
});

function storeErrorOnly(where: string, error: unknown): void {
  if ((error as Error).name !== "StoreError") throw new Error(where, { cause: error });
}

/** A message of ours, or SQLite's about the file. */
function refusedClearly(where: string, error: unknown): void {
  const { errcode } = error as { readonly errcode?: number };
  if (error instanceof Corrupt) return;
  assert.ok(errcode !== undefined && [11, 26].includes(errcode & 0xff), `${where}: ${(error as Error).stack}`);
}
