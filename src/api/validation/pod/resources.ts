// Resource requests and limits of containers and pods.
import { duplicate, type FieldError, forbiddenField, invalidValue, required } from "../../errors.ts";
import { isDns1123Label, isLabelKey } from "../../names.ts";
import { compareQuantityTexts, parseQuantity, scaledQuantity, signOf } from "../../quantity.ts";
import type { AnyObject } from "../../rules.ts";
import { invalids } from "../meta.ts";

const containerResources = new Set(["cpu", "memory", "ephemeral-storage"]);
const standardResources = new Set([
  "cpu",
  "memory",
  "ephemeral-storage",
  "pods",
  "services",
  "replicationcontrollers",
  "resourcequotas",
  "secrets",
  "configmaps",
  "persistentvolumeclaims",
  "storage",
  "requests.cpu",
  "requests.memory",
  "requests.storage",
  "requests.ephemeral-storage",
  "limits.cpu",
  "limits.memory",
  "limits.ephemeral-storage",
  "services.nodeports",
  "services.loadbalancers",
]);
export const isStandardResource = (name: string): boolean => standardResources.has(name);
export const isHugePages = (name: string): boolean => name.startsWith("hugepages-");
/** Of a name without a domain, or under kubernetes.io. */
export const isNativeResource = (name: string): boolean => !name.includes("/") || name.includes("kubernetes.io/");

/** An extended resource: domain-prefixed, not Kubernetes' own. */
export function isExtendedResource(name: string): boolean {
  if (isNativeResource(name) || name.startsWith("requests.")) return false;
  return isLabelKey(`requests.${name}`).length === 0;
}

export function validateResourceName(name: string, path: string): FieldError[] {
  const errors = invalids(path, name, isLabelKey(name));
  if (errors.length > 0) return errors;
  if (!name.includes("/") && !isStandardResource(name) && !isHugePages(name.replace(/^requests\./, "")))
    errors.push(invalidValue(path, name, "must be a standard resource type or fully qualified"));
  return errors;
}

export function validateContainerResourceName(name: string, path: string): FieldError[] {
  const errors = validateResourceName(name, path);
  if (!name.includes("/")) {
    if (!containerResources.has(name) && !isHugePages(name))
      errors.push(invalidValue(path, name, "must be a standard resource for containers"));
  } else if (!isNativeResource(name) && !isExtendedResource(name))
    errors.push(invalidValue(path, name, "doesn't follow extended resource name standard"));
  return errors;
}

/** Not negative, and whole where the resource counts things. */
export function validateResourceQuantity(name: string, value: string, path: string): FieldError[] {
  const errors: FieldError[] = [];
  const quantity = parseQuantity(value);
  if (signOf(quantity) < 0) errors.push(invalidValue(path, value, "must be greater than or equal to 0"));
  if (isIntegerResource(name) && scaledQuantity(quantity, -3) % 1000n !== 0n)
    errors.push(invalidValue(path, value, "must be an integer"));
  return errors;
}

const integerResources = new Set([
  "pods",
  "services",
  "replicationcontrollers",
  "resourcequotas",
  "secrets",
  "configmaps",
  "persistentvolumeclaims",
  "services.nodeports",
  "services.loadbalancers",
]);
export const isIntegerResource = (name: string): boolean =>
  integerResources.has(name) || isExtendedResource(name) || name.startsWith("count/");

/** requests and limits of one container (`claimNames`: the pod's resource claims). */
export function validateResourceRequirements(
  resources: AnyObject,
  claimNames: ReadonlySet<string>,
  path: string,
  checkName = validateContainerResourceName,
): FieldError[] {
  if (resources === undefined || resources === null) return [];
  const errors: FieldError[] = [];
  const limits: Record<string, string> = resources.limits ?? {};
  const requests: Record<string, string> = resources.requests ?? {};
  let hasHugePages = false;
  let hasCpuOrMemory = false;
  for (const name of Object.keys(limits).sort()) {
    const at = `${path}.limits[${name}]`;
    const value = limits[name] ?? "0";
    errors.push(...checkName(name, at), ...validateResourceQuantity(name, value, at));
    if (isHugePages(name)) {
      hasHugePages = true;
      errors.push(...validateHugePages(name, value, at));
    }
    if (name === "cpu" || name === "memory") hasCpuOrMemory = true;
  }
  for (const name of Object.keys(requests).sort()) {
    const at = `${path}.requests[${name}]`;
    const value = requests[name] ?? "0";
    const limit = limits[name];
    errors.push(...checkName(name, at), ...validateResourceQuantity(name, value, at));
    if (limit !== undefined) {
      if (compareQuantityTexts(value, limit) !== 0 && !isOvercommitAllowed(name))
        errors.push(invalidValue(`${path}.requests`, value, `must be equal to ${name} limit of ${limit}`));
      else if (compareQuantityTexts(value, limit) > 0)
        errors.push(invalidValue(`${path}.requests`, value, `must be less than or equal to ${name} limit of ${limit}`));
    } else if (!isOvercommitAllowed(name))
      errors.push(required(`${path}.limits`, "Limit must be set for non overcommitable resources"));
    if (isHugePages(name)) {
      hasHugePages = true;
      errors.push(...validateHugePages(name, value, at));
    }
    if (name === "cpu" || name === "memory") hasCpuOrMemory = true;
  }
  if (hasHugePages && !hasCpuOrMemory) errors.push(forbiddenField(path, "HugePages require cpu or memory"));
  return [...errors, ...validateClaims(resources.claims ?? [], claimNames, `${path}.claims`)];
}

const isOvercommitAllowed = (name: string): boolean => isNativeResource(name) && !isHugePages(name);

function validateHugePages(name: string, value: string, path: string): FieldError[] {
  const errors: FieldError[] = [];
  let size: bigint;
  try {
    size = scaledQuantity(parseQuantity(name.slice("hugepages-".length)), 0);
  } catch {
    return [invalidValue(path, value, "unable to parse size")];
  }
  if (size > 0n && scaledQuantity(parseQuantity(value), 0) % size !== 0n)
    errors.push(invalidValue(path, value, `not positive integer multiple of ${name.slice("hugepages-".length)}`));
  return errors;
}

function validateClaims(claims: readonly AnyObject[], names: ReadonlySet<string>, path: string): FieldError[] {
  const errors: FieldError[] = [];
  const seen = new Set<string>();
  for (const [i, claim] of claims.entries()) {
    const name = claim.name ?? "";
    const at = `${path}[${i}]`;
    if (name === "") {
      errors.push(required(`${at}.name`));
      continue;
    }
    const key = claim.request ? `${name}/${claim.request}` : name;
    if (claim.request && seen.has(name)) errors.push(duplicate(at, name));
    else if (seen.has(key)) errors.push(duplicate(at, key));
    seen.add(key);
    if (claim.request) errors.push(...invalids(`${at}.request`, claim.request, isDns1123Label(claim.request)));
    if (!names.has(name)) errors.push({ type: "FieldValueNotFound", field: at, value: name, detail: "" });
  }
  return errors;
}
