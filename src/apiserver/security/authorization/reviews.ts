// Answers access reviews: SubjectAccessReview and its relatives, SelfSubjectRulesReview.
import {
  ApiError,
  type ApiObject,
  type FieldError,
  forbiddenField,
  invalid,
  invalidValue,
  isLabelKey,
  isLabelValue,
  parseFieldSelector,
  parseSelector,
  type ResourceAttributes,
  required,
  type SubjectAccessReviewSpec,
} from "#api";
import type { UserInfo } from "#client";
import type { Authorizer, RequestInfo } from "../../contract.ts";
import type { RbacAuthorizer } from "./rbac.ts";

const group = "authorization.k8s.io";
type Spec = SubjectAccessReviewSpec;

/** `user`: who asks, for the self reviews. `namespace`: of the request, for the local review. Throws Invalid. */
export async function reviewAccess(
  kind: "SubjectAccessReview" | "LocalSubjectAccessReview" | "SelfSubjectAccessReview",
  authorizer: Authorizer,
  review: ApiObject,
  user: UserInfo,
  namespace: string,
): Promise<ApiObject> {
  const spec = (review as { spec?: Spec }).spec ?? {}; // decoded by the review's schema
  const errors = [
    ...attributeErrors(spec),
    ...(kind === "SelfSubjectAccessReview" ? [] : subjectErrors(spec)),
    ...metadataErrors(review, kind === "LocalSubjectAccessReview"),
    ...(kind === "LocalSubjectAccessReview" ? localErrors(spec, namespace) : []),
  ];
  if (errors.length > 0) throw invalidReview(errors);
  const who =
    kind === "SelfSubjectAccessReview"
      ? user
      : { name: spec.user ?? "", uid: spec.uid, groups: spec.groups ?? [], extra: spec.extra };
  const decision = await authorizer.authorize(who, requestOf(spec));
  const ignored = selectorProblems(spec.resourceAttributes);
  const { namespace: _namespace, ...metadata } = review.metadata;
  return {
    ...review,
    metadata: kind === "LocalSubjectAccessReview" ? review.metadata : metadata,
    kind,
    apiVersion: `${group}/v1`,
    status: {
      allowed: decision.allowed,
      ...(decision.reason === "" ? {} : { reason: decision.reason }),
      ...(ignored.length === 0 ? {} : { evaluationError: ignored.length === 1 ? ignored[0] : `[${ignored.join(", ")}]` }),
    },
  } as ApiObject; // with status
}

/** Upstream names no kind here: `.authorization.k8s.io "" is invalid: ...`. */
function invalidReview(errors: readonly FieldError[]): ApiError {
  const { status } = invalid({ group, kind: "" }, "", errors);
  const { kind: _empty, ...details } = status.details ?? {};
  return new ApiError({ ...status, details });
}

function requestOf(spec: Spec): RequestInfo {
  const resource = spec.resourceAttributes;
  if (resource !== undefined && resource !== null) {
    return {
      verb: resource.verb ?? "",
      path: "",
      isResource: true,
      group: resource.group ?? "",
      version: resource.version ?? "",
      resource: resource.resource ?? "",
      subresource: resource.subresource ?? "",
      namespace: resource.namespace ?? "",
      name: resource.name ?? "",
    };
  }
  const { verb = "", path = "" } = spec.nonResourceAttributes ?? {};
  return { verb, path, isResource: false, group: "", version: "", resource: "", subresource: "", namespace: "", name: "" };
}

const isGiven = <T>(value: T | undefined | null): value is T => value !== undefined && value !== null;

function attributeErrors(spec: Spec): readonly FieldError[] {
  if (isGiven(spec.resourceAttributes) && isGiven(spec.nonResourceAttributes)) {
    return [
      invalidValue("spec.nonResourceAttributes", pathValue(spec), "cannot be specified in combination with resourceAttributes"),
      ...selectorErrors(spec.resourceAttributes),
    ];
  }
  if (!isGiven(spec.resourceAttributes) && !isGiven(spec.nonResourceAttributes)) {
    return [
      invalidValue(
        "spec.resourceAttributes",
        null,
        "exactly one of nonResourceAttributes or resourceAttributes must be specified",
      ),
    ];
  }
  return isGiven(spec.resourceAttributes) ? selectorErrors(spec.resourceAttributes) : [];
}

// The field as Go's JSON prints it: the internal type has no lower-case names.
const pathValue = (spec: Spec): unknown => ({
  Path: spec.nonResourceAttributes?.path ?? "",
  Verb: spec.nonResourceAttributes?.verb ?? "",
});

const subjectErrors = (spec: Spec): readonly FieldError[] =>
  (spec.user ?? "") === "" && (spec.groups ?? []).length === 0
    ? [invalidValue("spec.user", "", "at least one of user or group must be specified")]
    : [];

function metadataErrors(review: ApiObject, keepsNamespace: boolean): readonly FieldError[] {
  const { managedFields, namespace, creationTimestamp: _created, ...rest } = review.metadata ?? {};
  if (Object.values(rest).every((value) => value === undefined || value === "")) return [];
  // In the order of ObjectMeta's fields, as Go prints them.
  const { name, generateName, labels, annotations, ...others } = rest;
  const shown = { name, generateName, ...(keepsNamespace ? { namespace } : {}), ...others, labels, annotations, managedFields };
  return [invalidValue("metadata", shown, keepsNamespace ? "must be empty except for namespace" : "must be empty")];
}

function localErrors(spec: Spec, namespace: string): readonly FieldError[] {
  const errors: FieldError[] = [];
  if (isGiven(spec.resourceAttributes) && (spec.resourceAttributes.namespace ?? "") !== namespace) {
    errors.push(
      invalidValue("spec.resourceAttributes.namespace", spec.resourceAttributes.namespace ?? "", "must match metadata.namespace"),
    );
  }
  if (isGiven(spec.nonResourceAttributes)) {
    errors.push(invalidValue("spec.nonResourceAttributes", pathValue(spec), "disallowed on this kind of request"));
  }
  return errors;
}

interface SelectorAttributes {
  readonly rawSelector?: string;
  readonly requirements?: readonly { readonly key?: string; readonly operator?: string; readonly values?: readonly string[] }[];
}

function selectorErrors(resource: ResourceAttributes): readonly FieldError[] {
  return (["fieldSelector", "labelSelector"] as const).flatMap((which) => {
    const selector = resource[which];
    return isGiven(selector) ? oneSelectorErrors(`spec.resourceAttributes.${which}`, selector, which === "labelSelector") : [];
  });
}

function oneSelectorErrors(path: string, selector: SelectorAttributes, isLabel: boolean): readonly FieldError[] {
  const raw = selector.rawSelector ?? "";
  const requirements = selector.requirements ?? [];
  if (raw !== "" && requirements.length > 0) {
    return [invalidValue(`${path}.rawSelector`, raw, "may not specified at the same time as requirements")];
  }
  if (raw === "" && requirements.length === 0) {
    return [required(`${path}.requirements`, `when ${path} is specified, requirements or rawSelector is required`)];
  }
  return requirements.flatMap((requirement, index) => {
    const at = `${path}.requirements[${index}]`;
    const key = requirement.key ?? "";
    const values = requirement.values ?? [];
    const errors: FieldError[] = [];
    switch (requirement.operator) {
      case "In":
      case "NotIn":
        if (values.length === 0) errors.push(required(`${at}.values`, "must be specified when `operator` is 'In' or 'NotIn'"));
        break;
      case "Exists":
      case "DoesNotExist":
        if (values.length > 0) {
          errors.push(forbiddenField(`${at}.values`, "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"));
        }
        break;
    }
    if (isLabel) {
      errors.push(...isLabelKey(key).map((text) => invalidValue(`${at}.key`, key, text)));
      errors.push(
        ...values.flatMap((value, each) => isLabelValue(value).map((text) => invalidValue(`${at}.values[${each}]`, value, text))),
      );
    } else if (key === "") {
      errors.push(required(`${at}.key`, "must be specified"));
    }
    return errors;
  });
}

/** Selectors only ever narrow a request; one that cannot be read is ignored, and the answer says so. */
function selectorProblems(resource: ResourceAttributes | undefined): readonly string[] {
  if (!isGiven(resource)) return [];
  const problem = (which: "fieldSelector" | "labelSelector"): string =>
    `spec.resourceAttributes.${which} ignored due to parse error`;
  return [
    ...(isGiven(resource.fieldSelector) && !isReadable(resource.fieldSelector, parseFieldSelector, 1)
      ? [problem("fieldSelector")]
      : []),
    ...(isGiven(resource.labelSelector) && !isReadable(resource.labelSelector, parseSelector, Infinity)
      ? [problem("labelSelector")]
      : []),
  ];
}

function isReadable(selector: SelectorAttributes, parse: (text: string) => unknown, maxValues: number): boolean {
  const operators = ["In", "NotIn", ...(maxValues === 1 ? [] : ["Exists", "DoesNotExist"])];
  if (
    (selector.requirements ?? []).some(
      ({ operator = "", values = [] }) => !operators.includes(operator) || values.length > maxValues,
    )
  )
    return false;
  try {
    parse(selector.rawSelector ?? "");
    return true;
  } catch {
    return false;
  }
}

/** What the caller may do in a namespace. Answers are incomplete when an authorizer other than RBAC has a say, as upstream tells. */
export function reviewRules(
  rbac: RbacAuthorizer | undefined,
  review: ApiObject,
  user: UserInfo,
  otherAuthorizers: boolean,
): ApiObject {
  const namespace = (review as { spec?: { namespace?: string } }).spec?.namespace ?? ""; // decoded by the review's schema
  if (namespace === "") {
    throw invalidReview([invalidValue("spec.namespace", "", "namespace is required")]);
  }
  const rules = (rbac?.rulesFor(user, namespace) ?? []).map(({ rule }) => rule);
  const masters = user.groups.includes("system:masters");
  const resourceRules = rules
    .filter((rule) => (rule.resources ?? []).length > 0)
    .map(({ verbs, apiGroups, resources, resourceNames }) => ({
      verbs,
      apiGroups,
      resources,
      ...(resourceNames === undefined ? {} : { resourceNames }),
    }));
  const nonResourceRules = rules
    .filter((rule) => (rule.nonResourceURLs ?? []).length > 0)
    .map(({ verbs, nonResourceURLs }) => ({ verbs, nonResourceURLs }));
  return {
    kind: "SelfSubjectRulesReview",
    apiVersion: `${group}/v1`,
    metadata: { ...review.metadata },
    spec: { namespace },
    status: {
      resourceRules: masters ? [{ verbs: ["*"], apiGroups: ["*"], resources: ["*"] }, ...resourceRules] : resourceRules,
      nonResourceRules: masters ? [{ verbs: ["*"], nonResourceURLs: ["*"] }, ...nonResourceRules] : nonResourceRules,
      incomplete: otherAuthorizers && !masters && user.groups.includes("system:nodes"),
      ...(otherAuthorizers && !masters && user.groups.includes("system:nodes")
        ? { evaluationError: "node authorizer does not support user rule resolution" }
        : {}),
    },
  } as ApiObject; // with spec and status
}
