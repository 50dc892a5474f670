// etcd's API over our own store, and the file that says where it is and who gets in.
import type { Clock, Files, Log } from "#base";
import { type EtcdServerOptions, type Store, startEtcdServer } from "#store";

/** What a client of a running etcd API needs; paths of PEM files. */
export interface EtcdAccess {
  /** "https://127.0.0.1:2379" */
  readonly url: string;
  readonly cacert: string;
  readonly cert: string;
  readonly key: string;
}

/** There while the API is served: `tiphys etcd` reads it. */
export const etcdAccessPath = (dataDir: string): string => `${dataDir}/etcd.json`;

export interface ServeEtcdOptions {
  /** "127.0.0.1:2379" */
  readonly listen: string;
  readonly tls: NonNullable<EtcdServerOptions["tls"]>;
  readonly dataDir: string;
  readonly access: Omit<EtcdAccess, "url">;
}

/** Under an address that means "any", clients of this machine take the loopback. */
export async function serveEtcd(
  { listen, tls, dataDir, access }: ServeEtcdOptions,
  { store, files, clock, log }: { readonly store: Store; readonly files: Files; readonly clock: Clock; readonly log: Log },
): Promise<AsyncDisposable> {
  const server = await startEtcdServer({ store, clock, log, listen, tls });
  const path = etcdAccessPath(dataDir);
  const url = server.url.replace("//0.0.0.0:", "//127.0.0.1:").replace("//[::]:", "//[::1]:");
  await files.writeAtomic(path, `${JSON.stringify({ url, ...access } satisfies EtcdAccess, undefined, 2)}\n`, 0o600);
  return {
    [Symbol.asyncDispose]: async () => {
      await files.remove(path);
      await server[Symbol.asyncDispose]();
    },
  };
}

/** The files of the certificates that `Pki.etcd` makes below a cluster's `pki` directory. */
export const pkiAccess = (dataDir: string): Omit<EtcdAccess, "url"> => ({
  cacert: `${dataDir}/pki/etcd/ca.crt`,
  cert: `${dataDir}/pki/apiserver-etcd-client.crt`,
  key: `${dataDir}/pki/apiserver-etcd-client.key`,
});
