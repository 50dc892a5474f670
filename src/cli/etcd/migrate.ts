// `tiphys etcd migrate`: a store with its history, revisions and leases from a real etcd or a directory to another directory.
import { rmSync } from "node:fs";
import { defineOptions, type OptionValues, systemFiles } from "#base";
import { hashHistory, openEtcdMember, type Revision, restoreSnapshot, saveSnapshot, snapshotStatus, writeWhole } from "#store";
import { storeDirectory, withStore } from "./place.ts";

export const migrateOptions = defineOptions({
  from: { kind: "string", help: "https://ADDRESS:PORT of an etcd member, or a data directory", placeholder: "URL" },
  to: { kind: "string", help: "The new data directory", placeholder: "URL" },
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
  if (isEtcd(to)) {
    throw new Error(
      `Cannot migrate to "${to}": a running etcd takes no history. Save it with tiphys etcd snapshot save FILE, make the members' directories with etcdctl snapshot restore FILE, and start etcd on them`,
    );
  }
  const target = pathOf(to);
  const source = isEtcd(from) ? await etcdSide(from, options) : directorySide(pathOf(from));
  const file = `${target}.migrating.db`;
  try {
    await systemFiles.makeDirectory(target, 0o700);
    await source.save(file);
    const revision = restoreSnapshot({ file, directory: storeDirectory(target) });
    const [theirs, ours] = [await source.hash(revision), await directorySide(target).hash(revision)];
    const { totalKeys, totalVersions } = snapshotStatus(file);
    if (theirs !== ours) {
      throw new Error(
        `Migrated "${from}" to "${to}", and the hashes at revision ${revision} differ (${theirs}, ${ours}): do not use the copy`,
      );
    }
    console.log(
      `Migrated ${totalKeys} keys in ${totalVersions} versions to "${target}"; hash ${ours} at revision ${revision} on both sides`,
    );
  } finally {
    rmSync(file, { force: true });
  }
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

async function etcdSide(url: string, { cacert, cert, key }: Options): Promise<Side> {
  const read = async (path: string | undefined): Promise<string | undefined> =>
    path === undefined ? undefined : (await systemFiles.read(path)).toString();
  const [ca, certificate, clientKey] = await Promise.all([cacert, cert, key].map(read));
  if (ca === undefined && url.startsWith("https:"))
    throw new Error(`Cannot migrate from "${url}": name its authority with --cacert`);
  const tls =
    ca === undefined
      ? undefined
      : { ca, ...(certificate === undefined ? {} : { certificate }), ...(clientKey === undefined ? {} : { key: clientKey }) };
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
