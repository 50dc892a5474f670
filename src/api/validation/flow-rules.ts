// The rules of a FlowSchema: whose requests, and which of them.
import { own } from "#base";
import { type FieldError, forbiddenField, invalidValue, notSupported, required } from "../errors.ts";
import { isDns1123Label, isDns1123Subdomain } from "../names.ts";
import type { AnyObject } from "../rules.ts";
import { invalids } from "./meta.ts";

/** Lists without content are decoded as null. */
const listOf = <T = AnyObject>(list: readonly T[] | null | undefined): readonly T[] => list ?? [];

export function validateFlowRule(rule: AnyObject, path: string): FieldError[] {
  const [subjects, resourceRules, nonResourceRules] = [
    listOf(rule.subjects),
    listOf(rule.resourceRules),
    listOf(rule.nonResourceRules),
  ];
  const errors: FieldError[] = [];
  if (subjects.length === 0) errors.push(required(`${path}.subjects`, "subjects must contain at least one value"));
  for (const [i, subject] of subjects.entries()) errors.push(...validateSubject(subject, `${path}.subjects[${i}]`));
  if (resourceRules.length === 0 && nonResourceRules.length === 0)
    errors.push(required(path, "at least one of resourceRules and nonResourceRules has to be non-empty"));
  for (const [i, each] of resourceRules.entries()) errors.push(...resourceRule(each, `${path}.resourceRules[${i}]`));
  for (const [i, each] of nonResourceRules.entries()) errors.push(...pathRule(each, `${path}.nonResourceRules[${i}]`));
  return errors;
}

/** Field of a subject that goes with its kind. */
const fieldOf: Readonly<Record<string, string>> = { Group: "group", ServiceAccount: "serviceAccount", User: "user" };

function validateSubject(subject: AnyObject, path: string): FieldError[] {
  const kind: string = subject.kind ?? "";
  const field = own(fieldOf, kind);
  if (field === undefined) return [notSupported(`${path}.kind`, kind, Object.keys(fieldOf))];
  const errors: FieldError[] = [];
  const who = subject[field] ?? undefined;
  if (who === undefined) errors.push(required(`${path}.${field}`, `${field} is required when subject kind is '${kind}'`));
  else if (kind === "ServiceAccount") errors.push(...serviceAccount(who, `${path}.serviceAccount`));
  else if (!who.name) errors.push(required(`${path}.${field}.name`));
  for (const [other, its] of Object.entries(fieldOf))
    if (its !== field && (subject[its] ?? undefined) !== undefined)
      errors.push(forbiddenField(`${path}.${its}`, `${its} is forbidden when subject kind is not '${other}'`));
  return errors;
}

function serviceAccount({ name = "", namespace = "" }: AnyObject, path: string): FieldError[] {
  const errors: FieldError[] = [];
  if (name === "") errors.push(required(`${path}.name`));
  else if (name !== "*") errors.push(...invalids(`${path}.name`, name, isDns1123Subdomain(name)));
  if (namespace === "") errors.push(required(`${path}.namespace`, "must specify namespace for service account"));
  else errors.push(...invalids(`${path}.namespace`, namespace, isDns1123Label(namespace)));
  return errors;
}

/** A list that is everything ("*"), alone, or names what it means. */
function exclusive(values: readonly string[], path: string, missing: string, others: string): FieldError[] {
  if (values.length === 0) return [required(path, missing)];
  return values.length > 1 && values.includes("*")
    ? [invalidValue(path, values, `if '*' is present, must not specify other ${others}`)]
    : [];
}

const verbs = ["create", "delete", "deletecollection", "get", "list", "patch", "proxy", "update", "watch"];

function validateVerbs(given: readonly string[], path: string): FieldError[] {
  const errors = exclusive(given, path, "verbs must contain at least one value", "verbs");
  if (errors.length > 0 || given.includes("*") || given.every((verb) => verbs.includes(verb))) return errors;
  return [{ type: "FieldValueNotSupported", field: path, value: given, detail: supported }];
}
const supported = `supported values: ${verbs.map((verb) => JSON.stringify(verb)).join(", ")}`;

function resourceRule(rule: AnyObject, path: string): FieldError[] {
  const namespaces = listOf<string>(rule.namespaces);
  const errors = [
    ...validateVerbs(listOf(rule.verbs), `${path}.verbs`),
    ...exclusive(listOf(rule.apiGroups), `${path}.apiGroups`, "resource rules must supply at least one api group", "api groups"),
    ...exclusive(listOf(rule.resources), `${path}.resources`, "resource rules must supply at least one resource", "resources"),
  ];
  if (namespaces.length === 0 && rule.clusterScope === true) return errors;
  const scope = "resource rules that are not cluster scoped must supply at least one namespace";
  const wrong = exclusive(namespaces, `${path}.namespaces`, scope, "namespaces");
  if (wrong.length > 0) return [...errors, ...wrong];
  for (const [i, namespace] of namespaces.entries())
    if (namespace !== "*") errors.push(...invalids(`${path}.namespaces[${i}]`, namespace, isDns1123Label(namespace)));
  return errors;
}

function pathRule(rule: AnyObject, path: string): FieldError[] {
  const urls = listOf<string>(rule.nonResourceURLs);
  const field = `${path}.nonResourceURLs`;
  const wrong = exclusive(urls, field, "nonResourceURLs must contain at least one value", "non-resource URLs");
  if (wrong.length === 0) for (const [i, url] of urls.entries()) if (url !== "*") wrong.push(...urlPath(url, `${field}[${i}]`));
  return [...validateVerbs(listOf(rule.verbs), `${path}.verbs`), ...wrong];
}

function urlPath(url: string, path: string): FieldError[] {
  const refused = (why: string): FieldError[] => [invalidValue(path, url, why)];
  if (url === "") return refused("must not be empty");
  if (!url.startsWith("/")) return refused("must start with slash");
  if (url.includes(" ")) return refused("must not contain white-space");
  if (url.includes("//")) return refused("must not contain double slash");
  return url.includes("*") && (!url.endsWith("/*") || url.indexOf("*") !== url.length - 1)
    ? refused("wildcard can only do suffix matching")
    : [];
}
