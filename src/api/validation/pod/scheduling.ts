// Where a pod may run: affinity, tolerations, spreading, gates.
import { duplicate, type FieldError, forbiddenField, invalidValue, notSupported, required } from "../../errors.ts";
import { isDns1123Label, isDns1123Subdomain, isLabelKey, isLabelValue } from "../../names.ts";
import type { AnyObject } from "../../rules.ts";
import { validateLabelSelector } from "../basics.ts";
import { invalids } from "../meta.ts";

function validateNodeSelectorTerm(term: AnyObject, path: string): FieldError[] {
  return [
    ...(term.matchExpressions ?? []).flatMap((requirement: AnyObject, i: number) =>
      nodeRequirement(requirement, `${path}.matchExpressions[${i}]`),
    ),
    ...(term.matchFields ?? []).flatMap((requirement: AnyObject, i: number) =>
      fieldRequirement(requirement, `${path}.matchFields[${i}]`),
    ),
  ];
}

function nodeRequirement(requirement: AnyObject, path: string): FieldError[] {
  const errors: FieldError[] = [];
  const values: readonly string[] = requirement.values ?? [];
  switch (requirement.operator) {
    case "In":
    case "NotIn":
      if (values.length === 0) errors.push(required(`${path}.values`, "must be specified when `operator` is 'In' or 'NotIn'"));
      break;
    case "Exists":
    case "DoesNotExist":
      if (values.length > 0)
        errors.push(forbiddenField(`${path}.values`, "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"));
      break;
    case "Gt":
    case "Lt":
      if (values.length !== 1)
        errors.push(required(`${path}.values`, "must be specified single value when `operator` is 'Lt' or 'Gt'"));
      break;
    default:
      errors.push(invalidValue(`${path}.operator`, requirement.operator ?? "", "not a valid selector operator"));
  }
  errors.push(...invalids(`${path}.key`, requirement.key ?? "", isLabelKey(requirement.key ?? "")));
  for (const [i, value] of values.entries()) errors.push(...invalids(`${path}.values[${i}]`, value, isLabelValue(value)));
  return errors;
}

function fieldRequirement(requirement: AnyObject, path: string): FieldError[] {
  const errors: FieldError[] = [];
  const values: readonly string[] = requirement.values ?? [];
  if (requirement.operator === "In" || requirement.operator === "NotIn") {
    if (values.length !== 1)
      errors.push(
        required(`${path}.values`, "must be only one value when `operator` is 'In' or 'NotIn' for node field selector"),
      );
  } else errors.push(invalidValue(`${path}.operator`, requirement.operator ?? "", "not a valid selector operator"));
  if (requirement.key === "metadata.name")
    for (const [i, value] of values.entries()) errors.push(...invalids(`${path}.values[${i}]`, value, isDns1123Subdomain(value)));
  else errors.push(invalidValue(`${path}.key`, requirement.key ?? "", "not a valid field selector key"));
  return errors;
}

export function validateNodeSelector(selector: AnyObject, path: string): FieldError[] {
  const terms = selector.nodeSelectorTerms ?? [];
  if (terms.length === 0) return [required(`${path}.nodeSelectorTerms`, "must have at least one node selector term")];
  return terms.flatMap((term: AnyObject, i: number) => validateNodeSelectorTerm(term, `${path}.nodeSelectorTerms[${i}]`));
}

const requiredTerms = "requiredDuringSchedulingIgnoredDuringExecution";
const preferredTerms = "preferredDuringSchedulingIgnoredDuringExecution";
const weight = (value: number | undefined, path: string): FieldError[] =>
  (value ?? 0) <= 0 || (value ?? 0) > 100 ? [invalidValue(path, value ?? 0, "must be in the range 1-100")] : [];

export function validateAffinity(affinity: AnyObject, path: string): FieldError[] {
  if (affinity === undefined || affinity === null) return [];
  const errors: FieldError[] = [];
  const node = affinity.nodeAffinity;
  if (node) {
    if (node[requiredTerms]) errors.push(...validateNodeSelector(node[requiredTerms], `${path}.nodeAffinity.${requiredTerms}`));
    for (const [i, term] of (node[preferredTerms] ?? []).entries()) {
      const at = `${path}.nodeAffinity.${preferredTerms}[${i}]`;
      errors.push(...weight(term.weight, `${at}.weight`), ...validateNodeSelectorTerm(term.preference ?? {}, `${at}.preference`));
    }
  }
  for (const kind of ["podAffinity", "podAntiAffinity"]) {
    const terms = affinity[kind];
    if (!terms) continue;
    for (const [i, term] of (terms[requiredTerms] ?? []).entries())
      errors.push(...podTerm(term, `${path}.${kind}.${requiredTerms}[${i}]`));
    for (const [i, term] of (terms[preferredTerms] ?? []).entries()) {
      const at = `${path}.${kind}.${preferredTerms}[${i}]`;
      errors.push(...weight(term.weight, `${at}.weight`), ...podTerm(term.podAffinityTerm ?? {}, `${at}.podAffinityTerm`));
    }
  }
  return errors;
}

function podTerm(term: AnyObject, path: string): FieldError[] {
  const errors = validateLabelSelector(term.labelSelector, `${path}.labelSelector`);
  errors.push(...validateLabelSelector(term.namespaceSelector, `${path}.namespaceSelector`));
  for (const name of term.namespaces ?? []) errors.push(...invalids(`${path}.namespace`, name, isDns1123Label(name)));
  errors.push(...keyLists(term, path));
  if (!term.topologyKey) errors.push(required(`${path}.topologyKey`, "can not be empty"));
  return [...errors, ...invalids(`${path}.topologyKey`, term.topologyKey ?? "", isLabelKey(term.topologyKey ?? ""))];
}

function keyLists(term: AnyObject, path: string): FieldError[] {
  const errors: FieldError[] = [];
  for (const list of ["matchLabelKeys", "mismatchLabelKeys"]) {
    const keys: readonly string[] = term[list] ?? [];
    if (keys.length > 0 && term.labelSelector === undefined)
      errors.push(forbiddenField(`${path}.${list}`, "must not be specified when labelSelector is not set"));
    for (const [i, key] of keys.entries()) errors.push(...invalids(`${path}.${list}[${i}]`, key, isLabelKey(key)));
  }
  const mismatch = new Set<string>(term.mismatchLabelKeys ?? []);
  for (const [i, key] of (term.matchLabelKeys ?? []).entries())
    if (mismatch.has(key))
      errors.push(invalidValue(`${path}.matchLabelKeys[${i}]`, key, "exists in both matchLabelKeys and mismatchLabelKeys"));
  return errors;
}

export const taintEffects = ["NoSchedule", "PreferNoSchedule", "NoExecute"];

export function validateTolerations(tolerations: readonly AnyObject[], path: string): FieldError[] {
  const errors: FieldError[] = [];
  for (const [i, toleration] of tolerations.entries()) {
    const at = `${path}[${i}]`;
    const { key = "", operator = "", value = "", effect = "" } = toleration;
    if (key !== "") errors.push(...invalids(`${at}.key`, key, isLabelKey(key)));
    if (key === "" && operator !== "Exists")
      errors.push(
        invalidValue(
          `${at}.operator`,
          operator,
          'operator must be Exists when `key` is empty, which means "match all values and all keys"',
        ),
      );
    if (toleration.tolerationSeconds !== undefined && effect !== "NoExecute")
      errors.push(invalidValue(`${at}.effect`, effect, "effect must be 'NoExecute' when `tolerationSeconds` is set"));
    switch (operator) {
      case "Equal":
      case "":
        errors.push(...invalids(`${at}.operator`, value, isLabelValue(value)).slice(0, 1));
        break;
      case "Exists":
        if (value !== "") errors.push(invalidValue(`${at}.operator`, value, "value must be empty when `operator` is 'Exists'"));
        break;
      default:
        errors.push(
          notSupported(
            `${at}.operator`,
            operator,
            operator === "Lt" || operator === "Gt" ? ["Equal", "Exists", "Lt", "Gt"] : ["Equal", "Exists"],
          ),
        );
    }
    if (effect !== "" && !taintEffects.includes(effect)) errors.push(notSupported(`${at}.effect`, effect, taintEffects));
  }
  return errors;
}

const spreadActions = ["DoNotSchedule", "ScheduleAnyway"];
const inclusion = ["Honor", "Ignore"];

export function validateSpread(constraints: readonly AnyObject[], path: string): FieldError[] {
  const errors: FieldError[] = [];
  const seen = new Set<string>();
  for (const [i, constraint] of constraints.entries()) {
    const at = `${path}[${i}]`;
    const { topologyKey = "", whenUnsatisfiable = "", maxSkew = 0 } = constraint;
    if (maxSkew <= 0) errors.push(invalidValue(`${at}.maxSkew`, maxSkew, "must be greater than zero"));
    if (topologyKey === "") errors.push(required(`${at}.topologyKey`, "can not be empty"));
    if (!spreadActions.includes(whenUnsatisfiable))
      errors.push(notSupported(`${at}.whenUnsatisfiable`, whenUnsatisfiable, spreadActions));
    // Upstream names the first of two equal pairs.
    const pair = `{${topologyKey}, ${whenUnsatisfiable}}`;
    if (
      !seen.has(pair) &&
      constraints.slice(i + 1).some((other) => other.topologyKey === topologyKey && other.whenUnsatisfiable === whenUnsatisfiable)
    )
      errors.push(duplicate(`${at}.{topologyKey, whenUnsatisfiable}`, pair));
    seen.add(pair);
    if (constraint.minDomains !== undefined) {
      if (constraint.minDomains <= 0)
        errors.push(invalidValue(`${at}.minDomains`, constraint.minDomains, "must be greater than zero"));
      if (whenUnsatisfiable !== "DoNotSchedule")
        errors.push(
          invalidValue(
            `${at}.minDomains`,
            constraint.minDomains,
            `can only use minDomains if whenUnsatisfiable=DoNotSchedule, not ${whenUnsatisfiable}`,
          ),
        );
    }
    for (const field of ["nodeAffinityPolicy", "nodeTaintsPolicy"])
      if (constraint[field] !== undefined && !inclusion.includes(constraint[field]))
        errors.push(notSupported(`${at}.${field}`, constraint[field], inclusion));
    errors.push(...spreadKeys(constraint, at));
    errors.push(...validateLabelSelector(constraint.labelSelector, `${at}.labelSelector`));
  }
  return errors;
}

function spreadKeys(constraint: AnyObject, path: string): FieldError[] {
  const errors: FieldError[] = [];
  const keys: readonly string[] = constraint.matchLabelKeys ?? [];
  if (keys.length === 0) return errors;
  if (constraint.labelSelector === undefined)
    return [forbiddenField(`${path}.matchLabelKeys`, "must not be specified when labelSelector is not set")];
  for (const [i, key] of keys.entries()) errors.push(...invalids(`${path}.matchLabelKeys[${i}]`, key, isLabelKey(key)));
  return errors;
}

export function validateSchedulingGates(gates: readonly AnyObject[], path: string): FieldError[] {
  const errors: FieldError[] = [];
  const seen = new Set<string>();
  for (const [i, gate] of gates.entries()) {
    errors.push(...invalids(`${path}[${i}]`, gate.name ?? "", isLabelKey(gate.name ?? "")));
    if (seen.has(gate.name)) errors.push(duplicate(`${path}[${i}]`, gate.name));
    seen.add(gate.name);
  }
  return errors;
}
