// `tiphys etcd migrate`: a store with its history, revisions and leases from a real etcd to a data directory, back, or to another directory.
import { rmSync } from "node:fs";
import { createLog, defineOptions, type OptionValues, systemClock, systemFiles } from "#base";
import {
  type EtcdStoreOptions,
  hashHistory,
  openEtcdMember,
  openEtcdStore,
  type Revision,
  replay,
  restoreSnapshot,
  saveSnapshot,
  snapshotStatus,
  writeWhole,
} from "#store";
import { storeDirectory, withStore } from "./place.ts";

export const migrateOptions = defineOptions({
  from: { kind: "string", help: "https://ADDRESS:PORT of an etcd member, or a data directory", placeholder: "URL" },
  to: { kind: "string", help: "The new data directory, or https://ADDRESS:PORT of a new etcd", placeholder: "URL" },
  cacert: { kind: "string", help: "Authority of the etcd member's certificate", placeholder: "FILE" },
  cert: { kind: "string", help: "Client certificate towards the etcd member", placeholder: "FILE" },
  key: { kind: "string", help: "Key of the client certificate", placeholder: "FILE" },
});

type Options = OptionValues<typeof migrateOptions>;

/** Something with history. */
interface Side {
  save(file: string): Promise<void>;
  hash(revision: Revision): Promise<number>;
}

export async function migrate(options: Options): Promise<void> {
  const { from, to } = options;
  if (from === undefined || to === undefined) throw new Error("Cannot migrate: say --from and --to");
  if (isEtcd(to)) return await intoEtcd(from, to, options);
  const target = pathOf(to);
  const source = isEtcd(from) ? await etcdSide(from, options) : directorySide(pathOf(from));
  const file = `${target}.migrating.db`;
  try {
    await systemFiles.makeDirectory(target, 0o700);
    await source.save(file);
    const revision = restoreSnapshot({ file, directory: storeDirectory(target) });
    const [theirs, ours] = [await source.hash(revision), await directorySide(target).hash(revision)];
    const { totalKeys, totalVersions } = snapshotStatus(file);
    assertSame({ from, to, revision }, theirs, ours);
    console.log(
      `Migrated ${totalKeys} keys in ${totalVersions} versions to "${target}"; hash ${ours} at revision ${revision} on both sides`,
    );
  } finally {
    rmSync(file, { force: true });
  }
}

/** Beyond this an hour is not enough: each revision is a transaction of its own. */
const mostRevisions = 1_000_000;

/** Into a new etcd, which gives revisions out itself: all of them are written again. */
async function intoEtcd(from: string, to: string, options: Options): Promise<void> {
  if (isEtcd(from)) throw new Error(`Cannot migrate from one etcd to another: take a data directory in between`);
  const tls = await tlsOf(to, options);
  await withStore("migrate", pathOf(from), async (store) => {
    using history = await store.history();
    const { revision } = history;
    if (revision > mostRevisions) {
      throw new Error(
        `Cannot migrate ${revision} revisions to "${to}" one by one: save them with tiphys etcd snapshot save FILE, make each member's directory with etcdctl snapshot restore FILE, and start etcd on these`,
      );
    }
    const log = createLog({ level: "error", format: "text" });
    await using target = await openEtcdStore({ servers: [to], ...(tls === undefined ? {} : { tls }), clock: systemClock, log });
    await replay(history, target);
    await using member = await openEtcdMember(to, tls);
    const [ours, theirs] = [(await hashHistory(history)).hash, (await member.hash(revision)).hash];
    assertSame({ from, to, revision }, ours, theirs);
    console.log(`Migrated "${from}" to "${to}"; hash ${theirs} at revision ${revision} on both sides`);
  });
}

function assertSame(
  { from, to, revision }: { from: string; to: string; revision: Revision },
  source: number,
  copy: number,
): void {
  if (source === copy) return;
  throw new Error(
    `Migrated "${from}" to "${to}", and the hashes at revision ${revision} differ (${source}, ${copy}): do not use the copy`,
  );
}

const isEtcd = (url: string): boolean => /^https?:\/\//.test(url);
const pathOf = (url: string): string => (url.startsWith("file://") ? new URL(url).pathname : url);

function directorySide(dataDir: string): Side {
  return {
    save: (file) =>
      withStore("migrate", dataDir, async (store) => {
        using history = await store.history();
        await saveSnapshot(history, file);
      }),
    hash: (revision) =>
      withStore("migrate", dataDir, async (store) => {
        using history = await store.history();
        return (await hashHistory(history, revision)).hash;
      }),
  };
}

async function etcdSide(url: string, options: Options): Promise<Side> {
  const tls = await tlsOf(url, options);
  return {
    save: async (file) => {
      await using member = await openEtcdMember(url, tls);
      await writeWhole(file, member.snapshot());
    },
    hash: async (revision) => {
      await using member = await openEtcdMember(url, tls);
      return (await member.hash(revision)).hash;
    },
  };
}

/** The certificates that the flags name. */
async function tlsOf(url: string, { cacert, cert, key }: Options): Promise<EtcdStoreOptions["tls"]> {
  const read = async (path: string | undefined): Promise<string | undefined> =>
    path === undefined ? undefined : (await systemFiles.read(path)).toString();
  const [ca, certificate, clientKey] = await Promise.all([cacert, cert, key].map(read));
  if (ca === undefined && url.startsWith("https:")) throw new Error(`Cannot reach "${url}": name its authority with --cacert`);
  if (ca === undefined) return undefined;
  return { ca, ...(certificate === undefined ? {} : { certificate }), ...(clientKey === undefined ? {} : { key: clientKey }) };
}
