// Writes kubeconfig files: where the cluster is, whom to trust, who the caller is.
import type { Files } from "#base";
import type { KeyPair } from "./issue.ts";

export interface KubeconfigOptions {
  /** "https://127.0.0.1:6443" */
  readonly server: string;
  readonly caCertificate: string;
  /** Either a client certificate or a bearer token. */
  readonly credentials: KeyPair | { readonly token: string };
  /** Names of the entries, as kubeadm has them. */
  readonly cluster?: string;
  readonly user?: string;
}

const base64 = (text: string): string => Buffer.from(text, "utf8").toString("base64");

/** YAML that kubectl and client-go read. All values are base64 or quoted. */
export function kubeconfigFor(options: KubeconfigOptions): string {
  const cluster = JSON.stringify(options.cluster ?? "tiphys");
  const user = JSON.stringify(options.user ?? "kubernetes-admin");
  const context = JSON.stringify(`${options.user ?? "kubernetes-admin"}@${options.cluster ?? "tiphys"}`);
  const credentials =
    "token" in options.credentials
      ? [`    token: ${JSON.stringify(options.credentials.token)}`]
      : [
          `    client-certificate-data: ${base64(options.credentials.certificate)}`,
          `    client-key-data: ${base64(options.credentials.key)}`,
        ];
  return [
    "apiVersion: v1",
    "kind: Config",
    "clusters:",
    `- name: ${cluster}`,
    "  cluster:",
    `    server: ${JSON.stringify(options.server)}`,
    `    certificate-authority-data: ${base64(options.caCertificate)}`,
    "users:",
    `- name: ${user}`,
    "  user:",
    ...credentials,
    "contexts:",
    `- name: ${context}`,
    "  context:",
    `    cluster: ${cluster}`,
    `    user: ${user}`,
    `current-context: ${context}`,
    "",
  ].join("\n");
}

/** Writes the file in one step, readable by its owner only. */
export const writeKubeconfig = (files: Files, path: string, options: KubeconfigOptions): Promise<void> =>
  files.writeAtomic(path, kubeconfigFor(options), 0o600);
