// ConfigMaps, Secrets, Namespaces, Nodes, service accounts, Endpoints.
import { own } from "#base";
import { decodeJson } from "../../codec/json.ts";
import { semanticEqual } from "../../deep-equal.ts";
import { duplicate, type FieldError, forbiddenField, invalidValue, required, tooLong } from "../../errors.ts";
import {
  byteLength,
  isConfigMapKey,
  isDns1123Label,
  isDns1123Subdomain,
  isLabelKey,
  isLabelValue,
  isPortNumber,
} from "../../names.ts";
import type { AnyObject } from "../../rules.ts";
import { hasHostBits, ipFamily, oneOf, validateCIDR, validateIP } from "../basics.ts";
import { inField, keepStatus, withField, without } from "../helpers.ts";
import {
  immutableText,
  invalids,
  labelName,
  subdomainName,
  validateObjectMeta,
  validateObjectMetaUpdate,
  validateStandardFinalizer,
} from "../meta.ts";
import { validateResourceQuantity } from "../pod/resources.ts";
import { taintEffects } from "../pod/scheduling.ts";

const maxBytes = 1024 * 1024;
export const sortedKeys = (map: AnyObject): string[] => Object.keys(map ?? {}).sort();

/** Size of a base64 text's content. */
const decodedLength = (text: string): number => Math.floor((text.replace(/=+$/, "").length * 3) / 4);

function immutableData(next: AnyObject, old: AnyObject, ...fields: readonly string[]): FieldError[] {
  if (old.immutable !== true) return [];
  const text = "field is immutable when `immutable` is set";
  const errors: FieldError[] = [];
  if (next.immutable !== true) errors.push(forbiddenField("immutable", text));
  for (const field of fields) if (!semanticEqual(next[field], old[field])) errors.push(forbiddenField(field, text));
  return errors;
}

export function validateConfigMap(map: AnyObject): FieldError[] {
  const errors = validateObjectMeta(map.metadata, true, subdomainName);
  let size = 0;
  for (const key of sortedKeys(map.data)) {
    errors.push(...invalids(`data[${key}]`, key, isConfigMapKey(key)));
    if (map.binaryData?.[key] !== undefined)
      errors.push(invalidValue(`data[${key}]`, key, "duplicate of key present in binaryData"));
    size += byteLength(map.data[key] ?? "");
  }
  for (const key of sortedKeys(map.binaryData)) {
    errors.push(...invalids(`binaryData[${key}]`, key, isConfigMapKey(key)));
    size += decodedLength(map.binaryData[key] ?? "");
  }
  if (size > maxBytes) errors.push(tooLong("", maxBytes));
  return errors;
}
export const validateConfigMapUpdate = (next: AnyObject, old: AnyObject): FieldError[] => [
  ...validateObjectMetaUpdate(next.metadata, old.metadata),
  ...immutableData(next, old, "data", "binaryData"),
  ...validateConfigMap(next),
];

const needsKeys: Readonly<Record<string, readonly string[]>> = {
  "kubernetes.io/ssh-auth": ["ssh-privatekey"],
  "kubernetes.io/tls": ["tls.crt", "tls.key"],
};
const dockerKeys: Readonly<Record<string, string>> = {
  "kubernetes.io/dockercfg": ".dockercfg",
  "kubernetes.io/dockerconfigjson": ".dockerconfigjson",
};

export function validateSecret(secret: AnyObject): FieldError[] {
  const errors = validateObjectMeta(secret.metadata, true, subdomainName);
  let size = 0;
  for (const key of sortedKeys(secret.data)) {
    errors.push(...invalids(`data[${key}]`, key, isConfigMapKey(key)));
    size += decodedLength(secret.data[key] ?? "");
  }
  if (size > maxBytes) errors.push(tooLong("data", maxBytes));
  const { type } = secret;
  if (type === "kubernetes.io/service-account-token" && !secret.metadata?.annotations?.["kubernetes.io/service-account.name"])
    errors.push(required("metadata.annotations[kubernetes.io/service-account.name]"));
  const docker = own(dockerKeys, type);
  if (docker !== undefined) {
    const content = secret.data?.[docker];
    if (content === undefined) errors.push(required(`data[${docker}]`));
    else errors.push(...validJson(Buffer.from(content, "base64").toString(), `data[${docker}]`));
  }
  if (type === "kubernetes.io/basic-auth" && secret.data?.username === undefined && secret.data?.password === undefined)
    errors.push(required("data[username]"), required("data[password]"));
  for (const key of own(needsKeys, type) ?? [])
    if (secret.data?.[key] === undefined || (type === "kubernetes.io/ssh-auth" && secret.data[key] === ""))
      errors.push(required(`data[${key}]`));
  return errors;
}

function validJson(text: string, path: string): FieldError[] {
  try {
    JSON.parse(text);
    return [];
  } catch {
    const first = text.trim()[0];
    const detail =
      first === undefined || /^[{["]/.test(first)
        ? "unexpected end of JSON input"
        : `invalid character '${first}' looking for beginning of value`;
    return [invalidValue(path, "<secret contents redacted>", detail)];
  }
}

export const validateSecretUpdate = (next: AnyObject, old: AnyObject): FieldError[] => [
  ...validateObjectMetaUpdate(next.metadata, old.metadata),
  ...(next.type === old.type ? [] : [invalidValue("type", next.type ?? "", immutableText)]),
  ...immutableData(next, old, "data"),
  ...validateSecret(next),
];
/** A PUT without a type keeps the stored one: the default must not turn it into Opaque. */
export const prepareSecretForUpdate = (next: AnyObject, old: AnyObject): AnyObject =>
  next.type === "" || next.type === undefined ? withField(next, "type", old.type) : next;

export function prepareNamespaceForCreate(namespace: AnyObject): AnyObject {
  const finalizers: readonly string[] = namespace.spec?.finalizers ?? [];
  return {
    ...namespace,
    spec: { ...namespace.spec, finalizers: finalizers.includes("kubernetes") ? finalizers : [...finalizers, "kubernetes"] },
    status: { phase: "Active" },
  };
}
/** spec.finalizers change through /finalize only. */
export const prepareNamespaceForUpdate = (next: AnyObject, old: AnyObject): AnyObject =>
  keepStatus({ ...next, spec: { ...next.spec, finalizers: old.spec?.finalizers } }, old);

export const validateFinalizerName = (finalizer: string, path: string): FieldError[] => {
  const errors = invalids(path, finalizer, isLabelKey(finalizer));
  return errors.length > 0 ? errors : validateStandardFinalizer(finalizer, path);
};
export const validateNamespace = (namespace: AnyObject): FieldError[] => [
  ...validateObjectMeta(namespace.metadata, false, labelName),
  ...(namespace.spec?.finalizers ?? []).flatMap((finalizer: string) => validateFinalizerName(finalizer, "spec.finalizers")),
];
export const validateNamespaceUpdate = (next: AnyObject, old: AnyObject): FieldError[] =>
  validateObjectMetaUpdate(next.metadata, old.metadata);
export function validateNamespaceStatusUpdate(next: AnyObject, old: AnyObject): FieldError[] {
  const errors = validateObjectMetaUpdate(next.metadata, old.metadata);
  const phase = next.status?.phase ?? "";
  if (next.metadata?.deletionTimestamp === undefined) {
    if (phase !== "Active")
      errors.push(invalidValue("status.Phase", phase, "may only be 'Active' if `deletionTimestamp` is empty"));
  } else if (phase !== "Terminating")
    errors.push(invalidValue("status.Phase", phase, "may only be 'Terminating' if `deletionTimestamp` is not empty"));
  return errors;
}

// Node

/** Unlike other kinds a node is created with its status; the long gone dynamic kubelet configuration is dropped. */
export const prepareNodeForCreate = (node: AnyObject): AnyObject =>
  inField(inField(node, "spec", withoutConfigSource), "status", (status) => without(status, "config"));
export const prepareNodeForUpdate = (next: AnyObject, old: AnyObject): AnyObject =>
  keepStatus(inField(next, "spec", withoutConfigSource), old);
export const prepareNodeForStatusUpdate = (next: AnyObject, old: AnyObject): AnyObject =>
  inField(withField(next, "spec", old.spec), "status", (status) => without(status, "config"));
const withoutConfigSource = (spec: AnyObject): AnyObject => without(spec, "configSource");

function validateTaints(taints: readonly AnyObject[], path: string): FieldError[] {
  const errors: FieldError[] = [];
  const seen = new Set<string>();
  for (const [i, taint] of taints.entries()) {
    const at = `${path}[${i}]`;
    errors.push(...invalids(`${at}.key`, taint.key ?? "", isLabelKey(taint.key ?? "")));
    errors.push(...invalids(`${at}.value`, taint.value ?? "", isLabelValue(taint.value ?? "")).slice(0, 1));
    if (!taint.effect) errors.push(required(`${at}.effect`));
    else errors.push(...oneOf(taint.effect, taintEffects, `${at}.effect`));
    const key = `${taint.key}:${taint.effect}`;
    if (seen.has(key))
      errors.push({
        type: "FieldValueDuplicate",
        field: at,
        value: { Key: taint.key ?? "", Value: taint.value ?? "", Effect: taint.effect ?? "", TimeAdded: taint.timeAdded ?? null },
        detail: "taints must be unique by key and effect pair",
      });
    else seen.add(key);
  }
  return errors;
}

function nodeSpec(node: AnyObject): FieldError[] {
  const errors: FieldError[] = [];
  errors.push(...taintErrors(node));
  for (const list of ["capacity", "allocatable"])
    for (const name of sortedKeys(node.status?.[list]))
      errors.push(...validateResourceQuantity(name, node.status[list][name], `status.${list}.${name}`));
  const ranges: readonly string[] = node.spec?.podCIDRs ?? [];
  for (const [i, range] of ranges.entries()) {
    const bad = validateCIDR(range, `spec.podCIDRs[${i}]`);
    errors.push(...bad);
    if (bad.length === 0 && hasHostBits(range))
      errors.push(invalidValue(`spec.podCIDRs[${i}]`, range, "must not have bits set beyond the prefix length"));
  }
  if (ranges.length > 1) {
    const families = new Set(ranges.map((range) => ipFamily(range.split("/")[0] ?? "")));
    if (ranges.length > 2 || families.size !== ranges.length)
      errors.push(invalidValue("spec.podCIDRs", ranges, "may specify no more than one CIDR for each IP family"));
  }
  return errors;
}

/** Found twice, as upstream: by the check of the node and by that of the change. */
const taintErrors = (node: AnyObject): FieldError[] => validateTaints(node.spec?.taints ?? [], "metadata.taints");

const nodeMeta = (node: AnyObject): FieldError[] => validateObjectMeta(node.metadata, false, subdomainName);
export const validateNode = (node: AnyObject): FieldError[] => [...nodeMeta(node), ...avoidedPods(node), ...nodeSpec(node)];

/** Pods that a node would rather not have, said in an annotation that nothing reads any more. */
function avoidedPods(node: AnyObject): FieldError[] {
  const annotation = "scheduler.alpha.kubernetes.io/preferAvoidPods";
  const text = node.metadata?.annotations?.[annotation];
  if (!text) return [];
  try {
    const entries = (decodeJson(text).value as AnyObject)?.preferAvoidPods ?? [];
    return entries.flatMap((entry: AnyObject, i: number) => {
      const at = `metadata.annotations.${annotation}[${i}].PodSignature`;
      const controller = entry?.podSignature?.podController;
      if (!controller) return [required(at)];
      return controller.controller === true
        ? []
        : [invalidValue(`${at}.PodController.Controller`, controller.controller ?? null, "must point to a controller")];
    });
  } catch (error) {
    return [invalidValue("metadata.annotations.AvoidPods", annotation, (error as Error).message)];
  }
}

export function validateNodeUpdate(next: AnyObject, old: AnyObject): FieldError[] {
  const errors = [...validateObjectMetaUpdate(next.metadata, old.metadata), ...avoidedPods(next)];
  const addresses = new Set<string>();
  for (const [i, address] of (next.status?.addresses ?? []).entries()) {
    const key = `${address.type}/${address.address}`;
    if (addresses.has(key))
      errors.push(duplicate(`status.addresses[${i}]`, { Type: address.type ?? "", Address: address.address ?? "" }));
    addresses.add(key);
  }
  const before: readonly string[] = old.spec?.podCIDRs ?? [];
  if (before.length > 0 && !semanticEqual(next.spec?.podCIDRs, before))
    errors.push(forbiddenField("spec.podCIDRs", 'node updates may not change podCIDR except from "" to valid'));
  if (old.spec?.providerID && next.spec?.providerID !== old.spec.providerID)
    errors.push(forbiddenField("spec.providerID", 'node updates may not change providerID except from "" to valid'));
  errors.push(...nodeSpec(next), ...taintErrors(next));
  return errors;
}

// ServiceAccount has only metadata; Endpoints have addresses.

export function validateEndpoints(endpoints: AnyObject): FieldError[] {
  const errors = validateObjectMeta(endpoints.metadata, true, subdomainName);
  for (const [s, subset] of (endpoints.subsets ?? []).entries()) {
    const at = `subsets[${s}]`;
    if ((subset.addresses?.length ?? 0) === 0 && (subset.notReadyAddresses?.length ?? 0) === 0)
      errors.push(required(at, "must specify `addresses` or `notReadyAddresses`"));
    for (const list of ["addresses", "notReadyAddresses"])
      for (const [i, address] of (subset[list] ?? []).entries()) {
        errors.push(...validateIP(address.ip ?? "", `${at}.${list}[${i}].ip`));
        if (address.hostname)
          errors.push(...invalids(`${at}.${list}[${i}].hostname`, address.hostname, isDns1123Label(address.hostname)));
        if (address.nodeName !== undefined)
          errors.push(...invalids(`${at}.${list}[${i}].nodeName`, address.nodeName, isDns1123Subdomain(address.nodeName)));
      }
    for (const [i, port] of (subset.ports ?? []).entries()) {
      const where = `${at}.ports[${i}]`;
      if ((subset.ports?.length ?? 0) > 1 && !port.name) errors.push(required(`${where}.name`));
      else if (port.name) errors.push(...invalids(`${where}.name`, port.name, isDns1123Label(port.name)));
      errors.push(...invalids(`${where}.port`, port.port ?? 0, isPortNumber(port.port ?? 0)));
      errors.push(...oneOf(port.protocol, ["SCTP", "TCP", "UDP"], `${where}.protocol`, true));
    }
  }
  return errors;
}
export const validateEndpointsUpdate = (next: AnyObject, old: AnyObject): FieldError[] => [
  ...validateObjectMetaUpdate(next.metadata, old.metadata),
  ...validateEndpoints(next),
];
