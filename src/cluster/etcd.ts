// A real etcd underneath: its options, with upstream's flag names, and the store that they open.
import { type Clock, defineOptions, type Files, type Log, type OptionValues } from "#base";
import { openEtcdStore, type Store } from "#store";

export const etcdOptions = defineOptions({
  etcdServers: { kind: "list", default: [], help: "URLs of the etcd members, with --store etcd", placeholder: "URL" },
  etcdCafile: { kind: "string", help: "Authority of the etcd members' certificates", placeholder: "FILE" },
  etcdCertfile: { kind: "string", help: "Client certificate towards etcd", placeholder: "FILE" },
  etcdKeyfile: { kind: "string", help: "Key of the client certificate towards etcd", placeholder: "FILE" },
  etcdCompactionInterval: {
    kind: "duration",
    default: 300_000,
    help: "How often one of the API servers on an etcd compacts it; 0: never by this one",
  },
});

/** Throws when no member is named or none answers. */
export async function openEtcd(
  options: OptionValues<typeof etcdOptions>,
  { files, clock, log }: { readonly files: Files; readonly clock: Clock; readonly log: Log },
): Promise<Store> {
  if (options.etcdServers.length === 0) throw new Error("Cannot use --store etcd: name its members with --etcd-servers");
  const [ca, certificate, key] = await Promise.all(
    [options.etcdCafile, options.etcdCertfile, options.etcdKeyfile].map(async (path) =>
      path === undefined ? undefined : (await files.read(path)).toString(),
    ),
  );
  const tls = ca === undefined ? undefined : { ca, certificate, key };
  return openEtcdStore({
    servers: options.etcdServers,
    ...(tls === undefined ? {} : { tls }),
    clock,
    log: log.child({ component: "store" }),
    compactionMs: options.etcdCompactionInterval,
  });
}
