// Webhook configurations, APIServices and IPAddresses. (CEL expressions are compiled elsewhere; here they must only be there.)
import { semanticEqual } from "../deep-equal.ts";
import { duplicate, type FieldError, invalidValue, notSupported, required, tooMany } from "../errors.ts";
import { isDns1035Label, isDns1123Subdomain, isLabelKey, isPathSegment, isPortNumber } from "../names.ts";
import type { AnyObject } from "../rules.ts";
import { ipFamily, validateIP, validateLabelSelector } from "./basics.ts";
import { immutableText, invalids, type NameCheck, subdomainName, validateObjectMeta, validateObjectMetaUpdate } from "./meta.ts";
import { canonicalIPv6 } from "./network.ts";

const metaUpdate = (next: AnyObject, old: AnyObject): FieldError[] => validateObjectMetaUpdate(next.metadata, old.metadata);

// Where a webhook is called

const urlForm = "; desired format: https://host[/path]";

function webhookUrl(text: string, path: string): FieldError[] {
  const errors: FieldError[] = [];
  if (/^:/.test(text))
    return [required(path, `url must be a valid URL: parse ${JSON.stringify(text)}: missing protocol scheme${urlForm}`)];
  const parts = /^(?:([a-zA-Z][a-zA-Z0-9+.-]*):)?(?:\/\/([^/?#]*))?([^?#]*)(?:\?([^#]*))?(?:#(.*))?$/s.exec(text);
  const [, scheme = "", authority = "", , query = "", fragment = ""] = parts ?? [];
  const at = authority.lastIndexOf("@");
  const host = authority.slice(at + 1);
  if (scheme !== "https") errors.push(invalidValue(path, scheme, `'https' is the only allowed URL scheme${urlForm}`));
  if (host === "") errors.push(invalidValue(path, host, `host must be specified${urlForm}`));
  if (at >= 0) errors.push(invalidValue(path, authority.slice(0, at), "user information is not permitted in the URL"));
  if (fragment !== "") errors.push(invalidValue(path, fragment, "fragments are not permitted in the URL"));
  if (query !== "") errors.push(invalidValue(path, query, "query parameters are not permitted in the URL"));
  return errors;
}

function webhookService(service: AnyObject, path: string): FieldError[] {
  const errors: FieldError[] = [];
  if (!service.name) errors.push(required(`${path}.name`));
  if (!service.namespace) errors.push(required(`${path}.namespace`));
  const messages = isPortNumber(service.port ?? 0);
  if (messages.length > 0)
    errors.push(invalidValue(`${path}.port`, service.port ?? 0, `port is not valid: ${messages.join(", ")}`));
  return service.path === undefined ? errors : [...errors, ...webhookPath(service.path, `${path}.path`)];
}

function webhookPath(text: string, path: string): FieldError[] {
  if (text === "" || text === "/") return [];
  const errors: FieldError[] = [];
  if (text === "//") return [invalidValue(path, text, "segment[0] may not be empty")];
  if (!text.startsWith("/")) errors.push(invalidValue(path, text, "must start with a '/'"));
  const bare = text.startsWith("/") ? text.slice(1) : text;
  const segments = (bare.endsWith("/") ? bare.slice(0, -1) : bare).split("/");
  for (const [i, segment] of segments.entries()) {
    if (segment === "") {
      errors.push(invalidValue(path, text, `segment[${i}] may not be empty`));
      continue;
    }
    for (const message of isDns1123Subdomain(segment)) errors.push(invalidValue(path, text, `segment[${i}]: ${message}`));
  }
  return errors;
}

// Which requests it is called for

const operationNames = ["*", "CONNECT", "CREATE", "DELETE", "UPDATE"];

function starAlone(list: readonly string[], path: string, what: string): FieldError[] {
  return list.length > 1 && list.includes("*")
    ? [invalidValue(path, list, `if '*' is present, must not specify other ${what}`)]
    : [];
}

/** Groups, versions, resources, operations and scope of a webhook's or policy's rule. */
export function validateRule(rule: AnyObject, path: string): FieldError[] {
  const errors: FieldError[] = [];
  const { apiGroups = [], apiVersions = [], resources = [], operations = [] } = rule;
  if (apiGroups.length === 0) errors.push(required(`${path}.apiGroups`));
  errors.push(...starAlone(apiGroups, `${path}.apiGroups`, "API groups"));
  if (apiVersions.length === 0) errors.push(required(`${path}.apiVersions`));
  errors.push(...starAlone(apiVersions, `${path}.apiVersions`, "API versions"));
  for (const [i, version] of apiVersions.entries()) if (version === "") errors.push(required(`${path}.apiVersions[${i}]`));
  errors.push(...ruleResources(resources, `${path}.resources`));
  if (rule.scope !== undefined && !["*", "Cluster", "Namespaced"].includes(rule.scope))
    errors.push(notSupported(`${path}.scope`, rule.scope, ["*", "Cluster", "Namespaced"]));
  const found: FieldError[] = [];
  if (operations.length === 0) found.push(required(`${path}.operations`));
  found.push(...starAlone(operations, `${path}.operations`, "operations"));
  for (const [i, operation] of operations.entries())
    if (!operationNames.includes(operation)) found.push(notSupported(`${path}.operations[${i}]`, operation, operationNames));
  return [...found, ...errors];
}

function ruleResources(resources: readonly string[], path: string): FieldError[] {
  const errors: FieldError[] = [];
  if (resources.length === 0) errors.push(required(path));
  const wildSubresources = new Set<string>();
  const wholeResources = new Set<string>();
  for (const [i, entry] of resources.entries()) {
    const at = `${path}[${i}]`;
    if (entry === "") {
      errors.push(required(at));
      continue;
    }
    if (entry === "*/*" && resources.length > 1)
      errors.push(invalidValue(path, resources, "if '*/*' is present, must not specify other resources"));
    const [resource = "", subresource] = entry.split("/");
    if (entry === "*" && resources.some((other) => !other.includes("/") && other !== "*"))
      errors.push(invalidValue(path, resources, "if '*' is present, must not specify other resources without subresources"));
    if (subresource === undefined) continue;
    if (resource === "*" && subresource !== "*") wildSubresources.add(subresource);
    if (resource !== "*" && subresource === "*") wholeResources.add(resource);
    if (resource !== "*" && wildSubresources.has(subresource))
      errors.push(invalidValue(at, entry, `if '*/${subresource}' is present, must not specify ${entry}`));
    if (subresource !== "*" && wholeResources.has(resource))
      errors.push(invalidValue(at, entry, `if '${resource}/*' is present, must not specify ${entry}`));
  }
  return errors;
}

/** Names and texts of match conditions. */
function validateMatchConditions(conditions: readonly AnyObject[], path: string): FieldError[] {
  const errors: FieldError[] = [];
  if (conditions.length > 64) errors.push(tooMany(path, conditions.length, 64));
  const names = new Set<string>();
  for (const [i, condition] of conditions.entries()) {
    const at = `${path}[${i}]`;
    if ((condition.expression ?? "").trim() === "") errors.push(required(`${at}.expression`));
    if (!condition.name) errors.push(required(`${at}.name`));
    else {
      errors.push(...invalids(`${at}.name`, condition.name, isLabelKey(condition.name)));
      if (names.has(condition.name)) errors.push(duplicate(`${at}.name`, condition.name));
      names.add(condition.name);
    }
  }
  return errors;
}

// The webhooks

const reviewVersions = ["v1", "v1beta1"];

function validateReviewVersions(versions: readonly string[], path: string): FieldError[] {
  if (versions.length === 0) return [required(path, `must specify one of ${reviewVersions.join(", ")}`)];
  const errors: FieldError[] = [];
  const seen = new Set<string>();
  let known = false;
  for (const [i, version] of versions.entries()) {
    const at = `${path}[${i}]`;
    if (seen.has(version)) {
      errors.push(invalidValue(at, version, "duplicate version"));
      continue;
    }
    seen.add(version);
    errors.push(...invalids(at, version, isDns1035Label(version)));
    if (reviewVersions.includes(version)) known = true;
  }
  if (!known) errors.push(invalidValue(path, versions, `must include at least one of ${reviewVersions.join(", ")}`));
  return errors;
}

function qualifiedHookName(name: string, path: string): FieldError[] {
  if (name === "") return [required(path)];
  const errors = invalids(path, name, isDns1123Subdomain(name));
  if (name.split(".").length < 3)
    errors.push(invalidValue(path, name, "should be a domain with at least three segments separated by dots"));
  return errors;
}

function validateWebhook(hook: AnyObject, mutating: boolean, path: string): FieldError[] {
  const errors = qualifiedHookName(hook.name ?? "", `${path}.name`);
  for (const [i, rule] of (hook.rules ?? []).entries()) errors.push(...validateRule(rule, `${path}.rules[${i}]`));
  if (hook.failurePolicy !== undefined && !["Fail", "Ignore"].includes(hook.failurePolicy))
    errors.push(notSupported(`${path}.failurePolicy`, hook.failurePolicy, ["Fail", "Ignore"]));
  if (hook.matchPolicy !== undefined && !["Equivalent", "Exact"].includes(hook.matchPolicy))
    errors.push(notSupported(`${path}.matchPolicy`, hook.matchPolicy, ["Equivalent", "Exact"]));
  if ((hook.sideEffects ?? undefined) === undefined)
    errors.push(required(`${path}.sideEffects`, "must specify one of None, NoneOnDryRun"));
  else if (!["None", "NoneOnDryRun"].includes(hook.sideEffects))
    errors.push(notSupported(`${path}.sideEffects`, hook.sideEffects, ["None", "NoneOnDryRun"]));
  if (hook.timeoutSeconds !== undefined && (hook.timeoutSeconds < 1 || hook.timeoutSeconds > 30))
    errors.push(
      invalidValue(`${path}.timeoutSeconds`, hook.timeoutSeconds, "the timeout value must be between 1 and 30 seconds"),
    );
  errors.push(
    ...validateLabelSelector(hook.namespaceSelector, `${path}.namespaceSelector`),
    ...validateLabelSelector(hook.objectSelector, `${path}.objectSelector`),
  );
  if (mutating && hook.reinvocationPolicy !== undefined && !["IfNeeded", "Never"].includes(hook.reinvocationPolicy))
    errors.push(notSupported(`${path}.reinvocationPolicy`, hook.reinvocationPolicy, ["IfNeeded", "Never"]));
  const config = hook.clientConfig ?? {};
  const given = Number(config.url !== undefined) + Number(config.service !== undefined);
  if (given !== 1) errors.push(required(`${path}.clientConfig`, "exactly one of url or service is required"));
  else if (config.url !== undefined) errors.push(...webhookUrl(config.url, `${path}.clientConfig.url`));
  else errors.push(...webhookService(config.service, `${path}.clientConfig.service`));
  return [...errors, ...validateMatchConditions(hook.matchConditions ?? [], `${path}.matchConditions`)];
}

const webhooks =
  (mutating: boolean) =>
  (object: AnyObject): FieldError[] => {
    const errors = validateObjectMeta(object.metadata, false, subdomainName);
    const names = new Set<string>();
    for (const [i, hook] of (object.webhooks ?? []).entries()) {
      const at = `webhooks[${i}]`;
      errors.push(
        ...validateWebhook(hook, mutating, at),
        ...validateReviewVersions(hook.admissionReviewVersions ?? [], `${at}.admissionReviewVersions`),
      );
      if (hook.name) {
        if (names.has(hook.name)) errors.push(duplicate(`${at}.name`, hook.name));
        names.add(hook.name);
      }
    }
    return errors;
  };
export const validateMutatingWebhooks = webhooks(true);
export const validateValidatingWebhooks = webhooks(false);
export const validateMutatingWebhooksUpdate = (next: AnyObject, old: AnyObject): FieldError[] => [
  ...validateMutatingWebhooks(next),
  ...metaUpdate(next, old),
];
export const validateValidatingWebhooksUpdate = (next: AnyObject, old: AnyObject): FieldError[] => [
  ...validateValidatingWebhooks(next),
  ...metaUpdate(next, old),
];

// APIService

export function validateApiService(object: AnyObject): FieldError[] {
  const { spec = {} } = object;
  const { group = "", version = "" } = spec;
  const wanted = `${version}.${group}`;
  const named: NameCheck = (name) =>
    name === wanted ? [] : [`must be \`spec.version+"."+spec.group\`: ${JSON.stringify(wanted)}`];
  const errors = validateObjectMeta(object.metadata, false, named);
  if (group === "" && version !== "v1")
    errors.push(required("spec.group", "only v1 may have an empty group and it better be legacy kube"));
  if (group !== "") errors.push(...invalids("spec.group", group, isDns1123Subdomain(group)));
  errors.push(...invalids("spec.version", version, isDns1035Label(version)));
  const minimum = spec.groupPriorityMinimum ?? 0;
  const priority = spec.versionPriority ?? 0;
  if (minimum <= 0 || minimum > 20000)
    errors.push(invalidValue("spec.groupPriorityMinimum", minimum, "must be positive and less than 20000"));
  if (priority <= 0 || priority > 1000)
    errors.push(invalidValue("spec.versionPriority", priority, "must be positive and less than 1000"));
  if (spec.service === undefined || spec.service === null) {
    const bytes = Buffer.from(spec.caBundle ?? "", "base64").length;
    if (bytes !== 0) errors.push(invalidValue("spec.caBundle", `${bytes} bytes`, "local APIServices may not have a caBundle"));
    if (spec.insecureSkipTLSVerify)
      errors.push(
        invalidValue(
          "spec.insecureSkipTLSVerify",
          spec.insecureSkipTLSVerify,
          "local APIServices may not have insecureSkipTLSVerify",
        ),
      );
    return errors;
  }
  if (!spec.service.namespace) errors.push(required("spec.service.namespace"));
  if (!spec.service.name) errors.push(required("spec.service.name"));
  const messages = isPortNumber(spec.service.port ?? 0);
  if (messages.length > 0)
    errors.push(invalidValue("spec.service.port", spec.service.port ?? 0, `port is not valid: ${messages.join(", ")}`));
  if (spec.insecureSkipTLSVerify && (spec.caBundle ?? "") !== "")
    errors.push(invalidValue("spec.insecureSkipTLSVerify", true, "may not be true if caBundle is present"));
  return errors;
}
export const validateApiServiceUpdate = (next: AnyObject, old: AnyObject): FieldError[] => [
  ...metaUpdate(next, old),
  ...validateApiService(next),
];

// IPAddress

const shownParent = (parent: AnyObject): unknown =>
  parent === undefined
    ? null
    : { Group: parent.group ?? "", Resource: parent.resource ?? "", Namespace: parent.namespace ?? "", Name: parent.name ?? "" };

/** An IPAddress is named by the address, in canonical form. */
const addressName: NameCheck = (name) => {
  const family = ipFamily(name);
  if (family === undefined) return validateIP(name, "").map((error) => error.detail ?? "");
  return family === 6 && canonicalIPv6(name) !== name
    ? [`must be in canonical form (${JSON.stringify(canonicalIPv6(name))})`]
    : [];
};

export const validateIPAddress = (object: AnyObject): FieldError[] => [
  ...validateObjectMeta(object.metadata, false, addressName),
  ...parentReference(object.spec?.parentRef),
];

function parentReference(parent: AnyObject): FieldError[] {
  if (parent === undefined || parent === null) return [required("spec.parentRef")];
  const errors: FieldError[] = [];
  if (parent.group) errors.push(...invalids("spec.parentRef.group", parent.group, isDns1123Subdomain(parent.group)));
  if (!parent.resource) errors.push(required("spec.parentRef.resource"));
  else errors.push(...invalids("spec.parentRef.resource", parent.resource, isPathSegment(parent.resource)));
  if (!parent.name) errors.push(required("spec.parentRef.name"));
  else errors.push(...invalids("spec.parentRef.name", parent.name, isPathSegment(parent.name)));
  if (parent.namespace) errors.push(...invalids("spec.parentRef.namespace", parent.namespace, isPathSegment(parent.namespace)));
  return errors;
}
export const validateIPAddressUpdate = (next: AnyObject, old: AnyObject): FieldError[] => [
  ...metaUpdate(next, old),
  ...parentReference(next.spec?.parentRef),
  ...(semanticEqual(next.spec?.parentRef, old.spec?.parentRef)
    ? []
    : [invalidValue("spec.parentRef", shownParent(next.spec?.parentRef), immutableText)]),
];
