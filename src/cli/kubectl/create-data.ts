// `create namespace`, `create configmap`, `create secret generic|tls|docker-registry`.
import { readdirSync } from "node:fs";
import { basename, join } from "node:path";
import { defineOptions, type Files } from "#base";
import { createCommand } from "./create.ts";
import { Failure } from "./failure.ts";
import type { Words } from "./words.ts";

export const createNamespace = createCommand({
  name: "namespace",
  aliases: ["ns"],
  usage: "NAME",
  summary: "Make a namespace",
  options: {},
  namespaced: false,
  object: (name) => ({ apiVersion: "v1", kind: "Namespace", metadata: { name }, spec: {}, status: {} }),
});

const dataOptions = defineOptions({
  fromLiteral: { kind: "list", default: [], help: "KEY=VALUE, once for each", placeholder: "PAIR" },
  fromFile: { kind: "list", default: [], help: "[KEY=]FILE, or a directory", placeholder: "FILE" },
  fromEnvFile: { kind: "list", default: [], help: "A file of lines KEY=VALUE", placeholder: "FILE" },
});

/** What --from-literal, --from-file and --from-env-file say, by key. Throws Failure for what cannot be read and for a key given twice. */
async function readData({ given }: Words, files: Files): Promise<Map<string, Buffer>> {
  const data = new Map<string, Buffer>();
  const add = (key: string, value: Buffer): void => {
    if (data.has(key)) throw new Failure(`error: cannot add key "${key}", another key by that name already exists`);
    data.set(key, value);
  };
  const read = async (path: string): Promise<Buffer> => {
    if ((await files.stat(path)) === undefined) throw new Failure(`error: error reading ${path}: no such file or directory`);
    return files.read(path);
  };
  for (const text of given["fromFile"] ?? []) {
    const at = text.indexOf("=");
    const path = text.slice(at + 1);
    const stat = await files.stat(path);
    if (stat?.kind === "directory" && at < 0) {
      for (const { name } of readdirSync(path, { withFileTypes: true }).filter((entry) => entry.isFile()))
        add(name, await read(join(path, name)));
    } else add(at < 0 ? basename(path) : text.slice(0, at), await read(path));
  }
  for (const text of given["fromLiteral"] ?? []) {
    const at = text.indexOf("=");
    if (at <= 0) throw new Failure(`error: invalid literal source ${text}, expected key=value`);
    add(text.slice(0, at), Buffer.from(text.slice(at + 1).replace(/^(["'])([\s\S]*)\1$/, "$2")));
  }
  for (const path of given["fromEnvFile"] ?? [])
    for (const line of (await read(path)).toString("utf8").split(/\r?\n/)) {
      const [, key, value = ""] = /^\s*([^#\s=][^=]*)=([\s\S]*)$/.exec(line) ?? [];
      if (key !== undefined) add(key, Buffer.from(value));
    }
  return data;
}

const isText = (bytes: Buffer): boolean => Buffer.compare(Buffer.from(bytes.toString("utf8")), bytes) === 0;

export const createConfigMap = createCommand({
  name: "configmap",
  noun: "configmap",
  aliases: ["cm"],
  usage: "NAME [--from-literal=KEY=VALUE] [--from-file=FILE]",
  summary: "Make a config map",
  options: dataOptions,
  namespaced: true,
  object: async (name, { session, words }) => {
    const all = [...(await readData(words, session.terminal.files))];
    const data = all.filter(([, bytes]) => isText(bytes)).map(([key, bytes]) => [key, bytes.toString("utf8")]);
    const binaryData = all.filter(([, bytes]) => !isText(bytes)).map(([key, bytes]) => [key, bytes.toString("base64")]);
    return {
      apiVersion: "v1",
      kind: "ConfigMap",
      metadata: { name },
      ...(data.length === 0 ? {} : { data: Object.fromEntries(data) }),
      ...(binaryData.length === 0 ? {} : { binaryData: Object.fromEntries(binaryData) }),
    };
  },
});

const secret = (name: string, type: string | undefined, data: ReadonlyMap<string, Buffer>) => ({
  apiVersion: "v1",
  kind: "Secret",
  metadata: { name },
  ...(type === undefined ? {} : { type }),
  ...(data.size === 0 ? {} : { data: Object.fromEntries([...data].map(([key, bytes]) => [key, bytes.toString("base64")])) }),
});

const generic = createCommand({
  name: "secret generic",
  noun: "secret",
  usage: "NAME [--from-literal=KEY=VALUE] [--from-file=FILE]",
  summary: "Make a secret",
  options: { ...dataOptions, ...defineOptions({ type: { kind: "string", help: "Type of the secret", placeholder: "TYPE" } }) },
  namespaced: true,
  object: async (name, { session, words, options }) => secret(name, options.type, await readData(words, session.terminal.files)),
});

const tls = createCommand({
  name: "secret tls",
  noun: "secret",
  usage: "NAME --cert=FILE --key=FILE",
  summary: "Make a secret of a certificate and its key",
  options: defineOptions({
    cert: { kind: "string", help: "The certificate, PEM", placeholder: "FILE" },
    key: { kind: "string", help: "Its key, PEM", placeholder: "FILE" },
  }),
  namespaced: true,
  object: async (name, { session, options }) => {
    const read = async (path: string | undefined): Promise<Buffer> => {
      if (path === undefined) throw new Failure("error: key and cert must be specified");
      if ((await session.terminal.files.stat(path)) === undefined)
        throw new Failure(`error: Cannot read file ${path}, open ${path}: no such file or directory`);
      return session.terminal.files.read(path);
    };
    const [certificate, key] = [await read(options.cert), await read(options.key)];
    return secret(
      name,
      "kubernetes.io/tls",
      new Map([
        ["tls.crt", certificate],
        ["tls.key", key],
      ]),
    );
  },
});

const dockerRegistry = createCommand({
  name: "secret docker-registry",
  noun: "secret",
  usage: "NAME --docker-username=NAME --docker-password=PASSWORD [--docker-server=HOST]",
  summary: "Make a secret for pulling images",
  options: defineOptions({
    dockerServer: { kind: "string", default: "https://index.docker.io/v1/", help: "The registry", placeholder: "HOST" },
    dockerUsername: { kind: "string", help: "Who pulls", placeholder: "NAME" },
    dockerPassword: { kind: "string", help: "Password or token", placeholder: "PASSWORD" },
    dockerEmail: { kind: "string", help: "Address of who pulls", placeholder: "ADDRESS" },
  }),
  namespaced: true,
  object: (name, { options }) => {
    const { dockerServer, dockerUsername: username, dockerPassword: password, dockerEmail: email } = options;
    if (username === undefined || password === undefined)
      throw new Failure(
        "error: either --from-file or the combination of --docker-username, --docker-password and --docker-server is required",
      );
    const auth = Buffer.from(`${username}:${password}`).toString("base64");
    const entry = { username, password, ...(email === undefined ? {} : { email }), auth };
    const text = JSON.stringify({ auths: { [dockerServer]: entry } });
    return secret(name, "kubernetes.io/dockerconfigjson", new Map([[".dockerconfigjson", Buffer.from(text)]]));
  },
});

export const createSecrets = [generic, tls, dockerRegistry];
