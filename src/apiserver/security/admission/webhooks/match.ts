// Which requests a webhook is asked about: rules, namespace selector, object selector. Pure.
import {
  type ApiObject,
  type LabelSelector,
  labelSelector,
  type Namespace,
  namespaces,
  type RuleWithOperations,
  selectorMatches,
} from "#api";
import type { AdmissionContext, ObjectReader } from "../../../contract.ts";

const hasOrAll = (list: readonly string[] | undefined, value: string): boolean =>
  list?.some((each) => each === "*" || each === value) ?? false;

function ruleMatches(rule: RuleWithOperations, { operation, type, subresource }: AdmissionContext): boolean {
  const scope = type.namespaced ? "Namespaced" : "Cluster";
  return (
    hasOrAll(rule.operations, operation) &&
    hasOrAll(rule.apiGroups, type.group) &&
    hasOrAll(rule.apiVersions, type.version) &&
    (rule.scope === undefined || rule.scope === "*" || rule.scope === scope) &&
    (rule.resources?.some((each) => resourceMatches(each, type.plural, subresource)) ?? false)
  );
}

/** "*" is every resource but no subresource, "pods/*" every subresource of pods, "*\/scale" one of every resource. */
function resourceMatches(pattern: string, resource: string, subresource: string): boolean {
  const [wantedResource = "", wantedSubresource = ""] = pattern.split("/");
  const resourceFits = wantedResource === "*" || wantedResource === resource;
  const subresourceFits = wantedSubresource === subresource || (wantedSubresource === "*" && pattern !== "*");
  return resourceFits && subresourceFits;
}

export interface Selective {
  readonly rules?: readonly RuleWithOperations[];
  readonly namespaceSelector?: LabelSelector;
  readonly objectSelector?: LabelSelector;
}

const isEmpty = (selector: LabelSelector | undefined): boolean =>
  selector === undefined ||
  (Object.keys(selector.matchLabels ?? {}).length === 0 && (selector.matchExpressions ?? []).length === 0);

export function concerns(
  hook: Selective,
  object: ApiObject | undefined,
  context: AdmissionContext,
  reader: ObjectReader,
): boolean {
  // Nobody can lock the door behind himself: webhook and policy objects are never sent to webhooks.
  if (context.type.group === "admissionregistration.k8s.io") return false;
  if (!(hook.rules ?? []).some((rule) => ruleMatches(rule, context))) return false;
  if (!isEmpty(hook.namespaceSelector)) {
    const labels = namespaceLabels(object, context, reader);
    if (labels !== undefined && !selectorMatches(labelSelector(hook.namespaceSelector), labels)) return false;
  }
  if (isEmpty(hook.objectSelector)) return true;
  const selector = labelSelector(hook.objectSelector);
  return [object, context.old].some((each) => each !== undefined && selectorMatches(selector, each.metadata?.labels));
}

/** Labels of the object's namespace, or of the namespace that it is; undefined for other objects of the cluster. */
function namespaceLabels(
  object: ApiObject | undefined,
  context: AdmissionContext,
  reader: ObjectReader,
): Readonly<Record<string, string>> | undefined {
  const isNamespace = context.type.plural === namespaces.plural && context.type.group === "";
  if (isNamespace) return (object ?? context.old)?.metadata.labels ?? {};
  if (context.namespace === "") return undefined;
  return reader.get<Namespace>(namespaces, { name: context.namespace })?.metadata.labels ?? {};
}
