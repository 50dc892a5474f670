// How a node as a program reaches the API server: by its kubeconfig, which it may first have to earn with a bootstrap token, and keep good.
import { dirname } from "node:path";
import { type Client, createClient, httpsTransport, type KubeconfigOptions, loadKubeconfig, type Transport } from "#client";
import { clientFile, clientUsages, ensureKubeconfig, nodeSubject, renewCertificate } from "#kubelet";
import { assemble } from "../parts.ts";
import type { ProgramDeps } from "./program.ts";

export interface NodeClientOptions {
  readonly nodeName: string;
  readonly kubeconfig: string;
  readonly bootstrapKubeconfig: string | undefined;
  readonly certificateDirectory: string;
  /** Upstream's --rotate-certificates. */
  readonly rotate: boolean;
}

export interface NodeClients {
  clientFor(userAgent: string): Client;
  /** What the kubeconfig says of the cluster. */
  readonly access: KubeconfigOptions;
}

/** Longer than any request but a watch lasts: those end, and begin again with the new certificate. */
const handOverMs = 61_000;

/** Resolves when the node has a certificate. */
export function nodeClients(options: NodeClientOptions, deps: ProgramDeps): Promise<NodeClients & AsyncDisposable> {
  const { clock, log, files } = deps;
  const connect = (config: KubeconfigOptions, userAgent: string): Transport =>
    httpsTransport({ ...config, userAgent, clock, log });
  return assemble(deps, async (parts) => {
    await ensureKubeconfig(options, {
      ...deps,
      connect: (config) => {
        const transport = connect(config, "kubelet");
        return { client: createClient(transport), [Symbol.asyncDispose]: () => transport[Symbol.asyncDispose]() };
      },
    });
    const load = async (): Promise<KubeconfigOptions> =>
      loadKubeconfig((await files.read(options.kubeconfig)).toString(), { files, directory: dirname(options.kubeconfig) });
    let access = await load();
    const open = new Map<string, Transport>();
    const leaving = new Set<AsyncDisposable>();
    parts.add("connections", {
      [Symbol.asyncDispose]: async () =>
        void (await Promise.all([...open.values(), ...leaving].map((transport) => transport[Symbol.asyncDispose]()))),
    });
    const current = (userAgent: string): Transport => {
      const found = open.get(userAgent) ?? connect(access, userAgent);
      open.set(userAgent, found);
      return found;
    };
    const clientFor = (userAgent: string): Client =>
      createClient({ send: (request) => current(userAgent).send(request), [Symbol.asyncDispose]: async () => {} });
    const file = clientFile(options.certificateDirectory);
    if (options.rotate && (await files.stat(file)) !== undefined)
      parts.add(
        "certificate",
        await renewCertificate(
          {
            file,
            ask: {
              signerName: "kubernetes.io/kube-apiserver-client-kubelet",
              usages: clientUsages,
              subject: nodeSubject(options.nodeName),
            },
            onRenewed: ({ certificate, key }) => {
              access = { ...access, clientCertificate: certificate, clientKey: key };
              for (const transport of open.values()) {
                leaving.add(transport);
                clock.after(handOverMs, () => {
                  if (leaving.delete(transport)) void transport[Symbol.asyncDispose]();
                });
              }
              open.clear();
            },
          },
          { ...deps, client: clientFor("kubelet") },
        ),
      );
    return { clientFor, access };
  });
}
