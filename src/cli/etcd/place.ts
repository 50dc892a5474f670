// Which data directory a command works on, the store in it, and the process that may be serving it.
import { existsSync } from "node:fs";
import { createLog, defineOptions, systemClock, systemFiles, systemRandom } from "#base";
import { defaultDataDir, type EtcdAccess, etcdAccessPath } from "#cluster";
import { assertStore, type DiskStore, type EtcdMember, openDiskStore, openEtcdMember, StoreError } from "#store";
import { thisMachine } from "../machine.ts";

/** Of every subcommand. */
export const placeOptions = defineOptions({
  dataDir: { kind: "string", help: "The data directory of `tiphys up` or `tiphys etcd`", placeholder: "DIR" },
});

export const dataDirOf = ({ dataDir }: { readonly dataDir: string | undefined }): string =>
  dataDir ?? defaultDataDir(thisMachine());

/** In `store` below the data directory; a directory that is a store itself (kube-apiserver's --store-directory) is taken as it is. */
export const storeDirectory = (dataDir: string): string => (existsSync(`${dataDir}/store.db`) ? dataDir : `${dataDir}/store`);

/** Undefined where no etcd API was left running. */
export async function readAccess(dataDir: string): Promise<EtcdAccess | undefined> {
  const path = etcdAccessPath(dataDir);
  if ((await systemFiles.stat(path)) === undefined) return undefined;
  return JSON.parse((await systemFiles.read(path)).toString()) as EtcdAccess;
}

export async function connectTo({ url, cacert, cert, key }: EtcdAccess): Promise<EtcdMember> {
  const read = async (path: string): Promise<string> => (await systemFiles.read(path)).toString();
  return openEtcdMember(url, { ca: await read(cacert), certificate: await read(cert), key: await read(key) });
}

/** With the store of a data directory that no process uses. Throws StoreError "unavailable", "corrupt". */
export async function withStore<T>(action: string, dataDir: string, use: (store: DiskStore) => Promise<T>): Promise<T> {
  const directory = storeDirectory(dataDir);
  assertStore(action, directory);
  const log = createLog({ level: "error", format: "text" });
  await using store = await openDiskStore({ directory, clock: systemClock, random: systemRandom, log, compactEveryMs: 0 });
  return await use(store);
}

/** Somebody has the directory open. */
export const isInUse = (error: unknown): boolean => error instanceof StoreError && error.message.includes("is using it");
