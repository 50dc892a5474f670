// Reads a kubeconfig: which server, and with which credentials.
import { load } from "js-yaml";
import type { Files } from "#base";
import type { HttpsOptions } from "./https-transport.ts";

/** What httpsTransport needs from a kubeconfig; the caller adds user agent, clock and log. */
export type KubeconfigOptions = Omit<HttpsOptions, "userAgent" | "clock" | "log"> & { readonly namespace?: string };

interface Named {
  readonly name?: unknown;
}

/**
 * Options of the current (or named) context. Relative file names count from `directory`, that of the kubeconfig.
 * A token file is read again for every request. Credential plugins (exec, auth-provider) are refused with a clear error.
 */
export async function loadKubeconfig(
  text: string,
  more: { files: Files; directory?: string; context?: string },
): Promise<KubeconfigOptions> {
  const config = parse(text);
  if (typeof config !== "object" || config === null || config["kind"] !== "Config")
    throw new Error(`Cannot read the kubeconfig: its kind is "${String(config?.["kind"])}", not "Config"`);
  const contextName = more.context ?? config["current-context"];
  const context = entry(config, "contexts", contextName, "context");
  const cluster = entry(config, "clusters", context["cluster"], "cluster");
  const user = context["user"] === undefined || context["user"] === "" ? {} : entry(config, "users", context["user"], "user");
  for (const plugin of ["exec", "auth-provider"])
    if (user[plugin] !== undefined)
      throw new Error(`Cannot use user "${String(context["user"])}" of the kubeconfig: ${plugin} credentials are not supported`);

  const read = async (from: Record<string, unknown>, key: string): Promise<Buffer | undefined> => {
    const inline = from[`${key}-data`];
    if (typeof inline === "string" && inline !== "") return Buffer.from(inline, "base64");
    const path = from[key];
    return typeof path === "string" && path !== "" ? more.files.read(resolve(path, more.directory)) : undefined;
  };
  const tokenFile = user["tokenFile"];
  const token =
    typeof tokenFile === "string"
      ? async () => (await more.files.read(resolve(tokenFile, more.directory))).toString("utf8").trim()
      : user["token"];
  return {
    server: text_(cluster["server"], "cluster.server"),
    ca: await read(cluster, "certificate-authority"),
    insecureSkipTlsVerify: cluster["insecure-skip-tls-verify"] === true,
    tlsServerName: cluster["tls-server-name"] as string | undefined,
    clientCertificate: await read(user, "client-certificate"),
    clientKey: await read(user, "client-key"),
    token: token as KubeconfigOptions["token"],
    namespace: context["namespace"] as string | undefined,
  };
}

function parse(text: string): Record<string, unknown> | null {
  try {
    return load(text) as Record<string, unknown> | null;
  } catch (cause) {
    throw new Error(`Cannot read the kubeconfig: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
  }
}

function entry(config: Record<string, unknown>, list: string, name: unknown, field: string): Record<string, unknown> {
  const found = ((config[list] ?? []) as readonly (Named & Record<string, unknown>)[]).find((item) => item.name === name);
  const value = found?.[field];
  if (typeof value !== "object" || value === null)
    throw new Error(`Cannot read the kubeconfig: ${list} has no entry "${String(name)}"`);
  return value as Record<string, unknown>;
}

function text_(value: unknown, field: string): string {
  if (typeof value !== "string" || value === "") throw new Error(`Cannot read the kubeconfig: "${field}" is missing`);
  return value;
}

const resolve = (path: string, directory?: string): string =>
  path.startsWith("/") || directory === undefined ? path : `${directory}/${path}`;
