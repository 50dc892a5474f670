// `tiphys etcd env`: what etcdctl reads from its environment to reach a running store.
import type { EtcdAccess } from "#cluster";
import { dataDirOf, readAccess } from "./place.ts";

/** Where etcdctl looks by itself. */
const defaultEndpoint = /^https:\/\/(127\.0\.0\.1|localhost):2379$/;

/** Lines for `eval`. The default endpoint is not named: etcdctl 3.4 refuses --endpoints beside the variable. */
export function environmentLines({ url, cacert, cert, key }: EtcdAccess): string {
  const variables = {
    ETCDCTL_API: "3",
    ...(defaultEndpoint.test(url) ? {} : { ETCDCTL_ENDPOINTS: url }),
    ETCDCTL_CACERT: cacert,
    ETCDCTL_CERT: cert,
    ETCDCTL_KEY: key,
  };
  return Object.entries(variables)
    .map(([name, value]) => `export ${name}=${quoted(value)}`)
    .join("\n");
}

const quoted = (value: string): string => (/^[\w./:@%+-]+$/.test(value) ? value : `'${value.replaceAll("'", "'\\''")}'`);

export async function printEnvironment(options: { readonly dataDir: string | undefined }): Promise<void> {
  const dataDir = dataDirOf(options);
  const access = await readAccess(dataDir);
  if (access === undefined) {
    throw new Error(
      `Cannot name the etcd API of "${dataDir}": none is served; start it with tiphys up --etcd-listen 127.0.0.1:2379, or tiphys etcd`,
    );
  }
  console.log(environmentLines(access));
}
