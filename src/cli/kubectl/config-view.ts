// `config view` and `config current-context`: what the kubeconfig files say together.
import { defineOptions } from "#base";
import { defineCommand } from "./command.ts";
import { type Config, configDocument } from "./config.ts";
import { Failure } from "./failure.ts";
import { objectWriter } from "./output.ts";

const options = defineOptions({
  raw: { kind: "boolean", default: false, help: "Secrets too" },
  minify: { kind: "boolean", default: false, help: "Only what the current context needs" },
  output: { kind: "string", default: "yaml", help: "yaml, json or jsonpath=TEMPLATE", placeholder: "FORM" },
});

export const configView = defineCommand({
  name: "config view",
  usage: "",
  summary: "Show the kubeconfig, without its secrets",
  options,
  short: { output: "o" },
  run: async ({ session, options }) => {
    const config = await session.config();
    const chosen = options.minify ? minified(config, options.context ?? config.currentContext) : config;
    const write = objectWriter(options.output);
    if (write === undefined)
      throw new Failure(`error: unable to match a printer suitable for the output format "${options.output}"`);
    session.terminal.out(write(configDocument(options.raw ? chosen : withoutSecrets(chosen))));
    return undefined;
  },
});

export const currentContext = defineCommand({
  name: "config current-context",
  usage: "",
  summary: "Show the name of the current context",
  options: {},
  run: async ({ session }) => {
    const config = await session.config();
    if (config.currentContext === "") throw new Failure("error: current-context is not set");
    session.terminal.out(`${config.currentContext}\n`);
    return undefined;
  },
});

function minified(config: Config, name: string): Config {
  const only = (list: Config["users"], wanted: unknown): Config["users"] => list.filter((entry) => entry["name"] === wanted);
  const contexts = only(config.contexts, name);
  if (contexts[0] === undefined) throw new Failure(`error: cannot locate context ${name}`);
  const { cluster, user } = contexts[0]["context"] as { cluster?: string; user?: string };
  return { currentContext: name, contexts, clusters: only(config.clusters, cluster), users: only(config.users, user) };
}

const secrets: Readonly<Record<string, string>> = {
  "certificate-authority-data": "DATA+OMITTED",
  "client-certificate-data": "DATA+OMITTED",
  "client-key-data": "DATA+OMITTED",
  token: "REDACTED",
  password: "REDACTED",
};

function withoutSecrets(config: Config): Config {
  const hide = (list: Config["users"], field: string): Config["users"] =>
    list.map((entry) => ({
      ...entry,
      [field]: Object.fromEntries(
        Object.entries((entry[field] ?? {}) as object).map(([key, value]) => [key, secrets[key] ?? value]),
      ),
    }));
  return { ...config, clusters: hide(config.clusters, "cluster"), users: hide(config.users, "user") };
}
