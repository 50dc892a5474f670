// TLS bootstrap: a node that knows only a token gets a certificate of its own, and a kubeconfig that refers to it.
import { dirname } from "node:path";
import { dump } from "js-yaml";
import { type Files, publicKeyBytes } from "#base";
import { type KubeconfigOptions, loadKubeconfig } from "#client";
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
  await files.writeAtomic(kubeconfig, kubeconfigText(access, clientFile(certificateDirectory)), 0o600);
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

/** With upstream's names of its entries; the certificate is read from its file, which renewals replace. */
function kubeconfigText(access: KubeconfigOptions, certificateFile: string): string {
  const { server, ca, tlsServerName, insecureSkipTlsVerify } = access;
  const cluster = {
    server,
    ...(ca === undefined ? {} : { "certificate-authority-data": Buffer.from(ca).toString("base64") }),
    ...(tlsServerName === undefined ? {} : { "tls-server-name": tlsServerName }),
    ...(insecureSkipTlsVerify === true ? { "insecure-skip-tls-verify": true } : {}),
  };
  return dump({
    apiVersion: "v1",
    kind: "Config",
    clusters: [{ name: "default-cluster", cluster }],
    users: [{ name: "default-auth", user: { "client-certificate": certificateFile, "client-key": certificateFile } }],
    contexts: [{ name: "default-context", context: { cluster: "default-cluster", namespace: "default", user: "default-auth" } }],
    "current-context": "default-context",
  });
}
