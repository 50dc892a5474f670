// RBAC rules: what one rule allows, what a set of rules covers, and how rules read in messages. Pure.
import type { PolicyRule } from "#api";
import type { RequestInfo } from "../../contract.ts";

const has = (list: readonly string[] | undefined, value: string): boolean => list?.includes(value) ?? false;
const hasOrAll = (list: readonly string[] | undefined, value: string): boolean => has(list, "*") || has(list, value);

/** "pods" or "pods/status", as rules name it. */
export const resourceWord = (request: Pick<RequestInfo, "resource" | "subresource">): string =>
  request.subresource === "" ? request.resource : `${request.resource}/${request.subresource}`;

/** True when the rule speaks of this verb and resource, whatever object: `allowsName` decides the rest. */
export function allowsKind(rule: PolicyRule, verb: string, group: string, resource: string, subresource: string): boolean {
  if (!hasOrAll(rule.verbs, verb) || !hasOrAll(rule.apiGroups, group)) return false;
  if (has(rule.resources, "*")) return true;
  if (subresource === "") return has(rule.resources, resource);
  return has(rule.resources, `${resource}/${subresource}`) || has(rule.resources, `*/${subresource}`);
}

/** A rule without names allows all of them; one with names never allows a request without a name. */
const allowsName = (rule: PolicyRule, name: string): boolean =>
  rule.resourceNames === undefined || rule.resourceNames.length === 0 || rule.resourceNames.includes(name);

export const allowsPath = (rule: PolicyRule, verb: string, path: string): boolean =>
  hasOrAll(rule.verbs, verb) && (rule.nonResourceURLs?.some((url) => pathMatches(url, path)) ?? false);

export function allowsRequest(rule: PolicyRule, request: RequestInfo): boolean {
  if (!request.isResource) return allowsPath(rule, request.verb, request.path);
  return allowsKind(rule, request.verb, request.group, request.resource, request.subresource) && allowsName(rule, request.name);
}

function pathMatches(url: string, path: string): boolean {
  if (url === "*" || url === path) return true;
  return url.endsWith("*") && path.startsWith(url.slice(0, -1));
}

/** The parts of `wanted` that no single rule of `held` covers, cut down to one verb, group, resource and name each. */
export function uncovered(held: readonly PolicyRule[], wanted: readonly PolicyRule[]): readonly PolicyRule[] {
  return wanted.flatMap(breakDown).filter((part) => !held.some((rule) => covers(rule, part)));
}

function breakDown(rule: PolicyRule): readonly PolicyRule[] {
  const parts: PolicyRule[] = [];
  for (const group of rule.apiGroups ?? []) {
    for (const resource of rule.resources ?? []) {
      for (const verb of rule.verbs ?? []) {
        const part = { apiGroups: [group], resources: [resource], verbs: [verb] };
        if (rule.resourceNames === undefined || rule.resourceNames.length === 0) parts.push(part);
        else for (const name of rule.resourceNames) parts.push({ ...part, resourceNames: [name] });
      }
    }
  }
  for (const url of rule.nonResourceURLs ?? []) {
    for (const verb of rule.verbs ?? []) parts.push({ nonResourceURLs: [url], verbs: [verb] });
  }
  return parts;
}

function covers(owner: PolicyRule, part: PolicyRule): boolean {
  const includesAll = (list: readonly string[] | undefined, wanted: readonly string[] | undefined): boolean =>
    has(list, "*") || (wanted ?? []).every((value) => has(list, value));
  return (
    includesAll(owner.verbs, part.verbs) &&
    includesAll(owner.apiGroups, part.apiGroups) &&
    (part.resources ?? []).every((resource) => coversResource(owner.resources, resource)) &&
    coversNames(owner.resourceNames, part.resourceNames) &&
    (part.nonResourceURLs ?? []).every((url) => owner.nonResourceURLs?.some((held) => pathMatches(held, url)) ?? false)
  );
}

function coversResource(held: readonly string[] | undefined, resource: string): boolean {
  if (has(held, "*") || has(held, resource)) return true;
  const slash = resource.indexOf("/");
  return slash >= 0 && has(held, `*/${resource.slice(slash + 1)}`);
}

const coversNames = (held: readonly string[] | undefined, wanted: readonly string[] | undefined): boolean =>
  held === undefined ||
  held.length === 0 ||
  (wanted !== undefined && wanted.length > 0 && wanted.every((name) => held.includes(name)));

/** Upstream's lines for rules that a user lacks: verbs of the same resource joined, sorted by text. */
export function ruleLines(parts: readonly PolicyRule[]): readonly string[] {
  const joined = new Map<string, { rule: PolicyRule; verbs: string[] }>();
  for (const part of parts) {
    const key =
      part.nonResourceURLs === undefined
        ? JSON.stringify([part.apiGroups, part.resources, part.resourceNames])
        : JSON.stringify(part);
    const found = joined.get(key);
    if (found === undefined) joined.set(key, { rule: part, verbs: [...part.verbs] });
    else found.verbs.push(...part.verbs);
  }
  return [...joined.values()].map(({ rule, verbs }) => ruleText({ ...rule, verbs })).sort();
}

/** `{APIGroups:[""], Resources:["pods"], Verbs:["get" "list"]}` */
function ruleText(rule: PolicyRule): string {
  const fields: readonly [string, readonly string[] | undefined][] = [
    ["APIGroups", rule.apiGroups],
    ["Resources", rule.resources],
    ["NonResourceURLs", rule.nonResourceURLs],
    ["ResourceNames", rule.resourceNames],
    ["Verbs", rule.verbs],
  ];
  return `{${fields.flatMap(([name, list]) => (list === undefined || list.length === 0 ? [] : [`${name}:${quotedList(list)}`])).join(", ")}}`;
}

/** `["a" "b"]`, as Go prints a list of quoted strings. */
export const quotedList = (values: readonly string[]): string => `[${values.map((value) => JSON.stringify(value)).join(" ")}]`;
