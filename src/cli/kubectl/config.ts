// Which cluster, as whom: the kubeconfig files of the user, merged as kubectl merges them, and what flags say instead.
import { dirname, isAbsolute, join } from "node:path";
import { decodeYaml } from "#api";
import type { Files } from "#base";
import { type KubeconfigOptions, loadKubeconfig } from "#client";
import { Failure } from "./failure.ts";

type Entry = Readonly<Record<string, unknown>>;

export interface Config {
  readonly clusters: readonly Entry[];
  readonly contexts: readonly Entry[];
  readonly users: readonly Entry[];
  readonly currentContext: string;
}

export interface ConfigPlace {
  /** --kubeconfig */
  readonly explicit: string | undefined;
  /** KUBECONFIG */
  readonly variable: string | undefined;
  readonly home: string;
}

/** File names inside an entry, by the list that it stands in; they count from the file that names them. */
const fileFields: Readonly<Record<string, readonly string[]>> = {
  cluster: ["certificate-authority"],
  user: ["client-certificate", "client-key", "tokenFile"],
};

/** The first file that says something wins; files that are not there are passed over, except the one of --kubeconfig. */
export async function readConfig(place: ConfigPlace, files: Files): Promise<Config> {
  const paths =
    place.explicit !== undefined
      ? [place.explicit]
      : (place.variable ?? "") !== ""
        ? (place.variable ?? "").split(":").filter((path) => path !== "")
        : [join(place.home, ".kube/config")];
  let merged: Config = { clusters: [], contexts: [], users: [], currentContext: "" };
  for (const path of paths) {
    if ((await files.stat(path)) === undefined) {
      if (place.explicit !== undefined) throw new Failure(`error: stat ${path}: no such file or directory`);
      continue;
    }
    merged = merge(merged, await readOne(path, files));
  }
  return merged;
}

async function readOne(path: string, files: Files): Promise<Config> {
  let value: unknown;
  try {
    value = decodeYaml(await files.read(path)).value;
  } catch (error) {
    throw new Failure(`error: error loading config file "${path}": ${(error as Error).message}`);
  }
  const config = (value ?? {}) as Entry;
  if (typeof value === "object" && value !== null && config["kind"] !== undefined && config["kind"] !== "Config")
    throw new Failure(`error: error loading config file "${path}": its kind is "${String(config["kind"])}", not "Config"`);
  const list = (name: string, field: string): Entry[] =>
    ((config[name] ?? []) as Entry[]).map((entry) => ({ ...entry, [field]: absolute(entry[field] as Entry, field, path) }));
  return {
    clusters: list("clusters", "cluster"),
    contexts: list("contexts", "context"),
    users: list("users", "user"),
    currentContext: String(config["current-context"] ?? ""),
  };
}

function absolute(entry: Entry | undefined, field: string, path: string): Entry {
  const changed: Record<string, unknown> = { ...entry };
  for (const name of fileFields[field] ?? []) {
    const value = changed[name];
    if (typeof value === "string" && value !== "" && !isAbsolute(value)) changed[name] = join(dirname(path), value);
  }
  return changed;
}

function merge(first: Config, second: Config): Config {
  const both = (key: "clusters" | "contexts" | "users"): Entry[] => {
    const names = new Set(first[key].map(({ name }) => name));
    return [...first[key], ...second[key].filter(({ name }) => !names.has(name))];
  };
  return {
    clusters: both("clusters"),
    contexts: both("contexts"),
    users: both("users"),
    currentContext: first.currentContext === "" ? second.currentContext : first.currentContext,
  };
}

/** As a kubeconfig file has it. */
export const configDocument = (config: Config): Entry => ({
  apiVersion: "v1",
  clusters: config.clusters,
  contexts: config.contexts,
  "current-context": config.currentContext,
  kind: "Config",
  preferences: {},
  users: config.users,
});

export interface Overrides {
  readonly context: string | undefined;
  readonly cluster: string | undefined;
  readonly user: string | undefined;
  readonly server: string | undefined;
  readonly token: string | undefined;
  readonly certificateAuthority: string | undefined;
  readonly insecureSkipTlsVerify: boolean;
  readonly tlsServerName: string | undefined;
}

/** What the flags choose of the files: a server, its authority and the user's credentials. */
export async function connection(config: Config, given: Overrides, files: Files): Promise<KubeconfigOptions> {
  const name = given.context ?? config.currentContext;
  const known = config.contexts.find((context) => context["name"] === name);
  if (given.context !== undefined && known === undefined)
    throw new Failure(`Error in configuration: context was not found for specified context: ${name}`);
  const context: Entry = { ...(known?.["context"] as Entry | undefined) };
  const chosen = { ...context, cluster: given.cluster ?? context["cluster"], user: given.user ?? context["user"] };
  const cluster: Record<string, unknown> = { ...entryOf(config.clusters, chosen.cluster, "cluster", given.cluster) };
  const user = given.token !== undefined ? { token: given.token } : entryOf(config.users, chosen.user, "user", given.user);
  if (given.server !== undefined) cluster["server"] = /^https?:/.test(given.server) ? given.server : `https://${given.server}`;
  if (given.tlsServerName !== undefined) cluster["tls-server-name"] = given.tlsServerName;
  if (given.certificateAuthority !== undefined) {
    delete cluster["certificate-authority-data"];
    cluster["certificate-authority"] = given.certificateAuthority;
  }
  if (given.insecureSkipTlsVerify) {
    cluster["insecure-skip-tls-verify"] = true;
    delete cluster["certificate-authority"];
    delete cluster["certificate-authority-data"];
  }
  if (cluster["server"] === undefined)
    throw new Failure(
      'error: no cluster is configured: `tiphys up` writes one to "~/.kube/config"; another is named with --kubeconfig, KUBECONFIG or --server',
    );
  const alone = {
    ...configDocument({
      clusters: [{ name: "chosen", cluster }],
      users: [{ name: "chosen", user: user ?? {} }],
      contexts: [{ name: "chosen", context: { ...chosen, cluster: "chosen", user: "chosen" } }],
      currentContext: "chosen",
    }),
  };
  return loadKubeconfig(JSON.stringify(alone), { files });
}

function entryOf(list: readonly Entry[], name: unknown, field: string, flag: string | undefined): Entry | undefined {
  const found = list.find((entry) => entry["name"] === name)?.[field] as Entry | undefined;
  if (found === undefined && flag !== undefined)
    throw new Failure(
      field === "user" ? `error: auth info "${flag}" does not exist` : `error: no server found for cluster "${flag}"`,
    );
  return found;
}
