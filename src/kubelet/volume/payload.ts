// What the files of a volume contain: config maps, secrets, the downward API, tokens.
import type { ConfigMap, DownwardAPIVolumeFile, KeyToPath, Pod, Secret, Volume, VolumeProjection } from "#api";
import type { ReferencedObjects } from "../pod/environment.ts";
import { type DownwardFacts, fieldValue, resourceFieldValue } from "../pod/field-ref.ts";
import type { TokenKeeper } from "./tokens.ts";
import { CannotMount } from "./volumes.ts";

export interface PayloadFile {
  readonly data: Buffer;
  readonly mode: number;
}

/** By path relative to the volume. */
export type Payload = ReadonlyMap<string, PayloadFile>;

export interface PayloadDeps {
  readonly objects: ReferencedObjects;
  readonly tokens: TokenKeeper;
  readonly facts: (pod: Pod) => DownwardFacts;
}

const usualMode = 0o644;

/** Undefined for a volume that is not made of such files. Throws CannotMount. */
export async function payloadOf(pod: Pod, volume: Volume, deps: PayloadDeps): Promise<Payload | undefined> {
  const files = new Map<string, PayloadFile>();
  const { configMap, secret, downwardAPI, projected } = volume;
  if (configMap !== undefined) {
    await addConfigMap(files, pod, configMap, configMap.defaultMode ?? usualMode, deps);
  } else if (secret !== undefined) {
    await addSecret(
      files,
      pod,
      { name: secret.secretName, items: secret.items, optional: secret.optional },
      secret.defaultMode ?? usualMode,
      deps,
    );
  } else if (downwardAPI !== undefined) {
    addDownward(files, pod, downwardAPI.items ?? [], downwardAPI.defaultMode ?? usualMode, deps);
  } else if (projected !== undefined) {
    for (const source of projected.sources ?? [])
      await addProjection(files, pod, volume.name, source, projected.defaultMode ?? usualMode, deps);
  } else {
    return undefined;
  }
  return files;
}

async function addProjection(
  files: Map<string, PayloadFile>,
  pod: Pod,
  volume: string,
  source: VolumeProjection,
  mode: number,
  deps: PayloadDeps,
): Promise<void> {
  if (source.configMap !== undefined) await addConfigMap(files, pod, source.configMap, mode, deps);
  else if (source.secret !== undefined) await addSecret(files, pod, source.secret, mode, deps);
  else if (source.downwardAPI !== undefined) addDownward(files, pod, source.downwardAPI.items ?? [], mode, deps);
  else if (source.serviceAccountToken !== undefined) {
    const { path } = source.serviceAccountToken;
    const token = await deps.tokens.token(pod, volume, source.serviceAccountToken);
    // Readable for the pod's user alone when the volume has no group of its own.
    files.set(checkedPath(path), { data: Buffer.from(token), mode });
  } else {
    throw new CannotMount(`a source of volume "${volume}" is of a kind that is not supported: ${Object.keys(source).join(", ")}`);
  }
}

interface Keys {
  readonly name?: string;
  readonly items?: readonly KeyToPath[];
  readonly optional?: boolean;
}

async function addConfigMap(
  files: Map<string, PayloadFile>,
  pod: Pod,
  source: Keys,
  mode: number,
  deps: PayloadDeps,
): Promise<void> {
  const found: ConfigMap | undefined = await deps.objects.configMap(pod.metadata.namespace ?? "", source.name ?? "");
  if (found === undefined && !source.optional) throw new CannotMount(`configmap "${source.name}" not found`);
  const data = new Map<string, Buffer>();
  for (const [key, value] of Object.entries(found?.data ?? {})) data.set(key, Buffer.from(value));
  for (const [key, value] of Object.entries(found?.binaryData ?? {})) data.set(key, Buffer.from(value, "base64"));
  addKeys(files, data, source, mode, "config key");
}

async function addSecret(
  files: Map<string, PayloadFile>,
  pod: Pod,
  source: Keys,
  mode: number,
  deps: PayloadDeps,
): Promise<void> {
  const found: Secret | undefined = await deps.objects.secret(pod.metadata.namespace ?? "", source.name ?? "");
  if (found === undefined && !source.optional) throw new CannotMount(`secret "${source.name}" not found`);
  const data = new Map(Object.entries(found?.data ?? {}).map(([key, value]) => [key, Buffer.from(value, "base64")]));
  addKeys(files, data, source, mode, "secret key");
}

function addKeys(
  files: Map<string, PayloadFile>,
  data: ReadonlyMap<string, Buffer>,
  { items, optional }: Keys,
  mode: number,
  what: string,
): void {
  if (items === undefined || items.length === 0) {
    for (const [key, value] of data) files.set(key, { data: value, mode });
    return;
  }
  for (const item of items) {
    const value = data.get(item.key);
    if (value === undefined) {
      if (optional) continue;
      throw new CannotMount(`references non-existent ${what}: ${item.key}`);
    }
    files.set(checkedPath(item.path), { data: value, mode: item.mode ?? mode });
  }
}

function addDownward(
  files: Map<string, PayloadFile>,
  pod: Pod,
  items: readonly DownwardAPIVolumeFile[],
  mode: number,
  deps: PayloadDeps,
): void {
  const facts = deps.facts(pod);
  for (const item of items) {
    const text =
      item.fieldRef !== undefined
        ? fieldValue(item.fieldRef.fieldPath, facts)
        : item.resourceFieldRef !== undefined
          ? resourceFieldValue(item.resourceFieldRef, "", facts)
          : "";
    files.set(checkedPath(item.path), { data: Buffer.from(text), mode: item.mode ?? mode });
  }
}

/** The API server has checked it; what leads out of the volume must never be written all the same. */
function checkedPath(path: string): string {
  const parts = path.split("/").filter((part) => part !== "" && part !== ".");
  if (path.startsWith("/") || parts.length === 0 || parts.includes(".."))
    throw new CannotMount(`invalid path "${path}": it must be relative and must not contain ".."`);
  return parts.join("/");
}
