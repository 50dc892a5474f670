// How commands speak to the cluster of a data directory: as its administrator.
import { createLog, systemClock, systemFiles } from "#base";
import { type Client, createClient, httpsTransport, type KubeconfigOptions, loadKubeconfig } from "#client";

export interface Connection extends AsyncDisposable {
  readonly client: Client;
  readonly config: KubeconfigOptions;
}

/** Throws where no cluster was ever started; whether one runs is seen by the first request. */
export async function connect(dataDir: string, timeoutMs = 60_000): Promise<Connection> {
  const path = `${dataDir}/admin.kubeconfig`;
  if ((await systemFiles.stat(path)) === undefined)
    throw new Error(`Cannot reach a cluster: none was ever started in "${dataDir}"`);
  const config = await loadKubeconfig((await systemFiles.read(path)).toString(), { files: systemFiles });
  const log = createLog({ level: "error", format: "text" });
  const transport = httpsTransport({ ...config, userAgent: "tiphys", clock: systemClock, log, timeoutMs });
  return { client: createClient(transport), config, [Symbol.asyncDispose]: () => transport[Symbol.asyncDispose]() };
}
