// Writes a kubeconfig: where the cluster is, whom to trust, who the caller is.
import { encodeYaml } from "#api";
import type { Files } from "#base";

export interface KubeconfigContents {
  /** "https://127.0.0.1:6443" */
  readonly server: string;
  /** PEM. Absent: the system's authorities. */
  readonly caCertificate?: string | Buffer;
  readonly tlsServerName?: string;
  readonly insecureSkipTlsVerify?: boolean;
  /** A client certificate (PEM, or a file that holds both and is read anew), or a bearer token. Absent: a description of the cluster, no more. */
  readonly credentials?:
    | { readonly certificate: string; readonly key: string }
    | { readonly certificateFile: string }
    | { readonly token: string };
  /** Names of the entries. Default: as kubeadm has them. */
  readonly cluster?: string;
  readonly user?: string;
  readonly context?: string;
  readonly namespace?: string;
}

const base64 = (text: string | Buffer): string => Buffer.from(text).toString("base64");

/** YAML that kubectl and client-go read, in the order in which kubectl writes it. */
export function kubeconfigFor(contents: KubeconfigContents): string {
  const { server, caCertificate, tlsServerName, insecureSkipTlsVerify, credentials, namespace } = contents;
  const { cluster = "tiphys", user = "kubernetes-admin", context = `${user}@${cluster}` } = contents;
  const where = {
    server,
    ...(caCertificate === undefined ? {} : { "certificate-authority-data": base64(caCertificate) }),
    ...(tlsServerName === undefined ? {} : { "tls-server-name": tlsServerName }),
    ...(insecureSkipTlsVerify === true ? { "insecure-skip-tls-verify": true } : {}),
  };
  const caller =
    credentials === undefined
      ? { users: [], contexts: [] }
      : {
          users: [{ name: user, user: userFields(credentials) }],
          contexts: [{ name: context, context: { cluster, user, ...(namespace === undefined ? {} : { namespace }) } }],
          "current-context": context,
        };
  const config = { apiVersion: "v1", kind: "Config", clusters: [{ name: cluster, cluster: where }], ...caller };
  return encodeYaml(config).toString();
}

/** Writes the file in one step, readable by its owner only. */
export const writeKubeconfig = (files: Files, path: string, contents: KubeconfigContents): Promise<void> =>
  files.writeAtomic(path, kubeconfigFor(contents), 0o600);

function userFields(credentials: NonNullable<KubeconfigContents["credentials"]>): Record<string, string> {
  if ("token" in credentials) return { token: credentials.token };
  if ("certificateFile" in credentials)
    return { "client-certificate": credentials.certificateFile, "client-key": credentials.certificateFile };
  return { "client-certificate-data": base64(credentials.certificate), "client-key-data": base64(credentials.key) };
}
