// A KubeSchedulerConfiguration file, checked: what is not understood is an error, never silently ignored.
import { extensionPoints, type PluginSet, type ProfileConfiguration, type SchedulerConfiguration } from "./config.ts";

const apiVersion = "kubescheduler.config.k8s.io/v1";

/** Understood by upstream, without a meaning here: the client connection and leader election are the process's own options. */
const ignored = [
  "parallelism",
  "leaderElection",
  "clientConnection",
  "enableProfiling",
  "enableContentionProfiling",
  "delayCacheUntilActive",
];

/** Throws a sentence that lists every mistake. `value` is the parsed YAML or JSON. */
export function parseConfiguration(value: unknown): SchedulerConfiguration {
  const errors: string[] = [];
  const root = record(value, "configuration", errors);
  if (root["apiVersion"] !== apiVersion) errors.push(`apiVersion: "${String(root["apiVersion"])}" is not "${apiVersion}"`);
  if (root["kind"] !== "KubeSchedulerConfiguration")
    errors.push(`kind: "${String(root["kind"])}" is not "KubeSchedulerConfiguration"`);
  const known = [
    "apiVersion",
    "kind",
    "profiles",
    "percentageOfNodesToScore",
    "podInitialBackoffSeconds",
    "podMaxBackoffSeconds",
    "extenders",
    ...ignored,
  ];
  onlyKnown(root, known, "", errors);
  const percentageOfNodesToScore = integer(root, "percentageOfNodesToScore", "", 0, 100, errors);
  const podInitialBackoffSeconds = integer(root, "podInitialBackoffSeconds", "", 1, Number.MAX_SAFE_INTEGER, errors);
  const podMaxBackoffSeconds = integer(
    root,
    "podMaxBackoffSeconds",
    "",
    podInitialBackoffSeconds ?? 1,
    Number.MAX_SAFE_INTEGER,
    errors,
  );
  const profiles = list(root["profiles"], "profiles", errors)?.map((profile, index) =>
    parseProfile(profile, `profiles[${index}]`, errors),
  );
  const extenders = list(root["extenders"], "extenders", errors);
  if (errors.length > 0) throw new Error(`Cannot read the scheduler's configuration: ${errors.join("; ")}`);
  return { profiles, percentageOfNodesToScore, podInitialBackoffSeconds, podMaxBackoffSeconds, extenders };
}

function parseProfile(value: unknown, path: string, errors: string[]): ProfileConfiguration {
  const profile = record(value, path, errors);
  onlyKnown(profile, ["schedulerName", "percentageOfNodesToScore", "plugins", "pluginConfig"], path, errors);
  const plugins = profile["plugins"] === undefined ? {} : record(profile["plugins"], `${path}.plugins`, errors);
  onlyKnown(plugins, [...extensionPoints, "multiPoint"], `${path}.plugins`, errors);
  const pluginConfig = list(profile["pluginConfig"], `${path}.pluginConfig`, errors)?.map((entry, index) => {
    const at = `${path}.pluginConfig[${index}]`;
    const { name, args } = record(entry, at, errors);
    if (typeof name !== "string") errors.push(`${at}.name: must be a text`);
    return { name: String(name), args: args === undefined ? undefined : record(args, `${at}.args`, errors) };
  });
  return {
    schedulerName: text(profile, "schedulerName", path, errors),
    percentageOfNodesToScore: integer(profile, "percentageOfNodesToScore", path, 0, 100, errors),
    plugins: Object.fromEntries(
      Object.entries(plugins).map(([point, set]) => [point, parsePluginSet(set, `${path}.plugins.${point}`, errors)]),
    ),
    pluginConfig,
  };
}

function parsePluginSet(value: unknown, path: string, errors: string[]): PluginSet {
  const set = record(value, path, errors);
  onlyKnown(set, ["enabled", "disabled"], path, errors);
  const choices = (field: "enabled" | "disabled") =>
    list(set[field], `${path}.${field}`, errors)?.map((entry, index) => {
      const at = `${path}.${field}[${index}]`;
      const choice = record(entry, at, errors);
      onlyKnown(choice, ["name", "weight"], at, errors);
      return {
        name: text(choice, "name", at, errors) ?? "",
        weight: integer(choice, "weight", at, 0, Number.MAX_SAFE_INTEGER, errors),
      };
    });
  return { enabled: choices("enabled"), disabled: choices("disabled") };
}

type Fields = Readonly<Record<string, unknown>>;

function record(value: unknown, path: string, errors: string[]): Fields {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Fields;
  errors.push(`${path}: must be an object`);
  return {};
}

function list(value: unknown, path: string, errors: string[]): readonly unknown[] | undefined {
  if (value === undefined || value === null || Array.isArray(value)) return value ?? undefined;
  errors.push(`${path}: must be a list`);
  return undefined;
}

function integer(fields: Fields, name: string, path: string, min: number, max: number, errors: string[]): number | undefined {
  const value = fields[name];
  if (value === undefined || value === null) return undefined;
  if (typeof value === "number" && Number.isInteger(value) && value >= min && value <= max) return value;
  errors.push(
    `${joined(path, name)}: ${JSON.stringify(value)} is not a whole number of at least ${min}${max === Number.MAX_SAFE_INTEGER ? "" : ` and at most ${max}`}`,
  );
  return undefined;
}

function text(fields: Fields, name: string, path: string, errors: string[]): string | undefined {
  const value = fields[name];
  if (value === undefined || typeof value === "string") return value;
  errors.push(`${joined(path, name)}: must be a text`);
  return undefined;
}

function onlyKnown(fields: Fields, known: readonly string[], path: string, errors: string[]): void {
  for (const name of Object.keys(fields)) if (!known.includes(name)) errors.push(`${joined(path, name)}: unknown field`);
}

const joined = (path: string, name: string): string => (path === "" ? name : `${path}.${name}`);
