// TLS bootstrap: a node that knows only a token gets a certificate of its own, and a kubeconfig that refers to it.
import { dirname } from "node:path";
import { type Files, publicKeyBytes } from "#base";
import { type KubeconfigOptions, loadKubeconfig, writeKubeconfig } from "#client";
import { clientUsages, nodeSubject, planCredentials, requestName } from "./plan.ts";
import { type AskDeps, askForCertificate } from "./request.ts";
import { clientFile, forgetPendingKey, keptOf, keyText, pendingKey } from "./store.ts";

export interface BootstrapOptions {
  readonly nodeName: string;
  /** Written when a certificate is there; used as it is while that is good. */
  readonly kubeconfig: string;
  /** Absent: the kubeconfig must be there. */
  readonly bootstrapKubeconfig: string | undefined;
  /** Upstream's --cert-dir. */
  readonly certificateDirectory: string;
}

export interface BootstrapDeps extends Omit<AskDeps, "client"> {
  readonly files: Files;
  /** A client with these credentials. */
  readonly connect: (config: KubeconfigOptions) => { readonly client: AskDeps["client"] } & AsyncDisposable;
}

/** Upstream's. */
const entryNames = { cluster: "default-cluster", user: "default-auth", context: "default-context", namespace: "default" };

/** Resolves when `kubeconfig` can be used. */
export async function ensureKubeconfig(options: BootstrapOptions, deps: BootstrapDeps): Promise<void> {
  const { nodeName, kubeconfig, bootstrapKubeconfig, certificateDirectory } = options;
  const { files, clock, log } = deps;
  const plan = planCredentials({
    hasKubeconfig: (await files.stat(kubeconfig)) !== undefined,
    endsMs: await endOf(kubeconfig, files),
    hasBootstrap: bootstrapKubeconfig !== undefined && (await files.stat(bootstrapKubeconfig)) !== undefined,
    nowMs: clock.now(),
  });
  if (plan === "use") return;
  if (plan === undefined || bootstrapKubeconfig === undefined)
    throw new Error(
      `Cannot reach an API server: there is neither the kubeconfig "${kubeconfig}" nor a bootstrap kubeconfig${
        bootstrapKubeconfig === undefined ? "" : ` "${bootstrapKubeconfig}"`
      }`,
    );
  const access = await loadKubeconfig((await files.read(bootstrapKubeconfig)).toString(), {
    files,
    directory: dirname(bootstrapKubeconfig),
  });
  await files.makeDirectory(certificateDirectory, 0o700);
  const key = await pendingKey(certificateDirectory, files);
  const subject = nodeSubject(nodeName);
  const name = requestName(publicKeyBytes(key), subject, clientUsages);
  log.info("asking for a client certificate", { node: nodeName, request: name });
  await using connection = deps.connect(access);
  const certificate = await askForCertificate(
    { name, signerName: "kubernetes.io/kube-apiserver-client-kubelet", usages: clientUsages, subject, key },
    { ...deps, client: connection.client },
  );
  await files.writeAtomic(clientFile(certificateDirectory), `${certificate}${keyText(key)}`, 0o600);
  await files.makeDirectory(dirname(kubeconfig), 0o755);
  const { server, ca: caCertificate, tlsServerName, insecureSkipTlsVerify } = access;
  const credentials = { certificateFile: clientFile(certificateDirectory) }; // renewals replace it
  const contents = { server, caCertificate, tlsServerName, insecureSkipTlsVerify, credentials, ...entryNames };
  await writeKubeconfig(files, kubeconfig, contents);
  await forgetPendingKey(certificateDirectory, files);
}

/** When the client certificate of a kubeconfig ends. */
async function endOf(kubeconfig: string, files: Files): Promise<number | undefined> {
  try {
    const text = (await files.read(kubeconfig)).toString();
    const { clientCertificate, clientKey } = await loadKubeconfig(text, { files, directory: dirname(kubeconfig) });
    return keptOf(`${clientCertificate}\n${clientKey}`)?.toMs;
  } catch {
    return undefined; // it is not there, or refers to what is not there: the same as no certificate
  }
}
