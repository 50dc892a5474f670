// The environment of a container: service links, envFrom, env, in upstream's order of precedence.

import type { ConfigMap, EnvVar, Pod, Secret, Service } from "#api";
import { own } from "#base";
import { expand } from "./expand.ts";
import { type DownwardFacts, fieldValue, resourceFieldValue } from "./field-ref.ts";
import { CannotStart } from "./images.ts";
import type { AnyContainer } from "./spec.ts";

/** Undefined where there is none. */
export interface ReferencedObjects {
  configMap(namespace: string, name: string): Promise<ConfigMap | undefined>;
  secret(namespace: string, name: string): Promise<Secret | undefined>;
}

export interface EnvironmentDeps {
  readonly objects: ReferencedObjects;
  readonly services: () => readonly Service[];
}

/** Throws CannotStart (CreateContainerConfigError) for what is missing and not optional. */
export async function environmentOf(
  container: AnyContainer,
  facts: DownwardFacts,
  deps: EnvironmentDeps,
): Promise<ReadonlyMap<string, string>> {
  const { pod } = facts;
  const namespace = pod.metadata.namespace ?? "";
  const services = serviceVariables(namespace, deps.services(), pod.spec.enableServiceLinks !== false);
  const result = new Map<string, string>();

  for (const source of container.envFrom ?? []) {
    const reference = source.configMapRef ?? source.secretRef;
    if (reference === undefined) continue;
    const data =
      source.configMapRef !== undefined ? await configMapData(deps, pod, reference) : await secretData(deps, pod, reference);
    for (const [key, value] of Object.entries(data ?? {})) result.set(`${source.prefix ?? ""}${key}`, value);
  }
  const known = (name: string): string | undefined => result.get(name) ?? services.get(name);
  for (const variable of container.env ?? []) {
    const value =
      variable.valueFrom === undefined ? expand(variable.value ?? "", known) : await valueFrom(variable, container, facts, deps);
    if (value !== undefined) result.set(variable.name, value);
  }
  for (const [name, value] of services) if (!result.has(name)) result.set(name, value);
  return result;
}

async function valueFrom(
  variable: EnvVar,
  container: AnyContainer,
  facts: DownwardFacts,
  deps: EnvironmentDeps,
): Promise<string | undefined> {
  const from = variable.valueFrom ?? {};
  const namespace = facts.pod.metadata.namespace ?? "";
  if (from.fieldRef !== undefined) return fieldValue(from.fieldRef.fieldPath, facts);
  if (from.resourceFieldRef !== undefined) return resourceFieldValue(from.resourceFieldRef, container.name, facts);
  if (from.configMapKeyRef !== undefined) {
    const { key, name = "", optional } = from.configMapKeyRef;
    const value = own((await configMapData(deps, facts.pod, from.configMapKeyRef)) ?? {}, key);
    if (value === undefined && !optional) throw configError(`couldn't find key ${key} in ConfigMap ${namespace}/${name}`);
    return value;
  }
  if (from.secretKeyRef !== undefined) {
    const { key, name = "", optional } = from.secretKeyRef;
    const value = own((await secretData(deps, facts.pod, from.secretKeyRef)) ?? {}, key);
    if (value === undefined && !optional) throw configError(`couldn't find key ${key} in Secret ${namespace}/${name}`);
    return value;
  }
  throw configError(`unsupported source of environment variable ${variable.name}`);
}

interface Reference {
  readonly name?: string;
  readonly optional?: boolean;
}

async function configMapData(
  deps: EnvironmentDeps,
  pod: Pod,
  { name = "", optional }: Reference,
): Promise<Readonly<Record<string, string>> | undefined> {
  const found = await deps.objects.configMap(pod.metadata.namespace ?? "", name);
  if (found === undefined && !optional) throw configError(`configmap "${name}" not found`);
  return found === undefined ? undefined : (found.data ?? {});
}

async function secretData(
  deps: EnvironmentDeps,
  pod: Pod,
  { name = "", optional }: Reference,
): Promise<Readonly<Record<string, string>> | undefined> {
  const found = await deps.objects.secret(pod.metadata.namespace ?? "", name);
  if (found === undefined && !optional) throw configError(`secret "${name}" not found`);
  return found === undefined
    ? undefined
    : Object.fromEntries(Object.entries(found.data ?? {}).map(([key, value]) => [key, Buffer.from(value, "base64").toString()]));
}

const configError = (message: string): CannotStart =>
  new CannotStart("CreateContainerConfigError", message, { retryAfterMs: 5_000 });

/** WEB_SERVICE_HOST, WEB_SERVICE_PORT, WEB_PORT_80_TCP_ADDR, ...: of the pod's namespace, and always of default/kubernetes. */
export function serviceVariables(namespace: string, services: readonly Service[], links: boolean): ReadonlyMap<string, string> {
  const variables = new Map<string, string>();
  const isMaster = (service: Service): boolean =>
    service.metadata.namespace === "default" && service.metadata.name === "kubernetes";
  const chosen = services.filter((service) => isMaster(service) || (links && service.metadata.namespace === namespace));
  // The pod's own namespace wins over default/kubernetes.
  for (const service of chosen.sort((a, b) => Number(isMaster(b)) - Number(isMaster(a)))) {
    const ip = service.spec?.clusterIP;
    const ports = service.spec?.ports ?? [];
    if (ip === undefined || ip === "" || ip === "None" || ports.length === 0) continue;
    const prefix = variableName(service.metadata.name ?? "");
    const host = ip.includes(":") ? `[${ip}]` : ip;
    variables.set(`${prefix}_SERVICE_HOST`, ip);
    variables.set(`${prefix}_SERVICE_PORT`, String(ports[0]?.port));
    for (const { name, port } of ports)
      if (name !== undefined && name !== "") variables.set(`${prefix}_SERVICE_PORT_${variableName(name)}`, String(port));
    ports.forEach(({ port, protocol = "TCP" }, index) => {
      const url = `${protocol.toLowerCase()}://${host}:${port}`;
      if (index === 0) variables.set(`${prefix}_PORT`, url);
      const base = `${prefix}_PORT_${port}_${protocol}`;
      variables.set(base, url);
      variables.set(`${base}_PROTO`, protocol.toLowerCase());
      variables.set(`${base}_PORT`, String(port));
      variables.set(`${base}_ADDR`, ip);
    });
  }
  return variables;
}

const variableName = (name: string): string => name.toUpperCase().replaceAll("-", "_");
