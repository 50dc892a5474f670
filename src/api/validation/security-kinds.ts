// Roles and bindings, flow control and certificate requests: what the API server says of objects that are wrong.
import { own } from "#base";
import { deepEqual } from "../deep-equal.ts";
import * as others from "../defaults/others.ts";
import { type FieldError, forbiddenField, invalidValue, required } from "../errors.ts";
import { isDns1123Subdomain, isPathSegment } from "../names.ts";
import type { AnyObject, KindRules } from "../rules.ts";
import { validateLabelSelector } from "./basics.ts";
import { validateFlowRule } from "./flow-rules.ts";
import { keepSpecAndMeta, plainKind } from "./helpers.ts";
import { invalids, pathSegmentName } from "./meta.ts";

const rbacGroup = "rbac.authorization.k8s.io";

/** Upstream lists these values in its own order, not sorted. */
const unsupported = (field: string, value: unknown, supported: readonly string[]): FieldError => ({
  type: "FieldValueNotSupported",
  field,
  value,
  detail: `supported values: ${supported.map((each) => JSON.stringify(each)).join(", ")}`,
});

const length = (list: readonly unknown[] | undefined | null): number => list?.length ?? 0;

function validateRule(rule: AnyObject, namespaced: boolean, path: string): FieldError[] {
  const errors: FieldError[] =
    length(rule.verbs) === 0 ? [required(`${path}.verbs`, "verbs must contain at least one value")] : [];
  if (length(rule.nonResourceURLs) > 0) {
    if (namespaced) {
      errors.push(
        invalidValue(`${path}.nonResourceURLs`, rule.nonResourceURLs, "namespaced rules cannot apply to non-resource URLs"),
      );
    }
    if (length(rule.apiGroups) > 0 || length(rule.resources) > 0 || length(rule.resourceNames) > 0) {
      errors.push(
        invalidValue(
          `${path}.nonResourceURLs`,
          rule.nonResourceURLs,
          "rules cannot apply to both regular resources and non-resource URLs",
        ),
      );
    }
    return errors;
  }
  if (length(rule.apiGroups) === 0)
    errors.push(required(`${path}.apiGroups`, "resource rules must supply at least one api group"));
  if (length(rule.resources) === 0)
    errors.push(required(`${path}.resources`, "resource rules must supply at least one resource"));
  return errors;
}

const validateRules = (role: AnyObject, namespaced: boolean): FieldError[] =>
  (role.rules ?? []).flatMap((rule: AnyObject, index: number) => validateRule(rule, namespaced, `rules[${index}]`));

function validateClusterRole(role: AnyObject): FieldError[] {
  const errors = validateRules(role, false);
  if (role.aggregationRule === undefined || role.aggregationRule === null) return errors;
  const selectors: readonly AnyObject[] = role.aggregationRule.clusterRoleSelectors ?? [];
  if (selectors.length === 0) {
    const why = "at least one clusterRoleSelector required if aggregationRule is non-nil";
    errors.push(required("aggregationRule.clusterRoleSelectors", why));
  }
  for (const [index, selector] of selectors.entries()) {
    const path = `aggregationRule.clusterRoleSelectors[${index}]`;
    const wrong = validateLabelSelector(selector, path);
    errors.push(...wrong, ...(wrong.length === 0 ? [] : [invalidValue(path, null, "invalid label selector.")]));
  }
  return errors;
}

const validateBinding =
  (namespaced: boolean) =>
  (binding: AnyObject): FieldError[] => {
    const { apiGroup = "", kind = "", name = "" } = binding.roleRef ?? {};
    const errors: FieldError[] = apiGroup === rbacGroup ? [] : [unsupported("roleRef.apiGroup", apiGroup, [rbacGroup])];
    const kinds = namespaced ? ["Role", "ClusterRole"] : ["ClusterRole"];
    if (!kinds.includes(kind)) errors.push(unsupported("roleRef.kind", kind, kinds));
    if (name === "") errors.push(required("roleRef.name"));
    else errors.push(...invalids("roleRef.name", name, isPathSegment(name)));
    for (const [index, subject] of (binding.subjects ?? []).entries()) {
      errors.push(...validateSubject(subject, namespaced, `subjects[${index}]`));
    }
    return errors;
  };

function validateSubject(subject: AnyObject, namespaced: boolean, path: string): FieldError[] {
  const { kind = "", name = "", namespace = "", apiGroup = "" } = subject;
  const errors: FieldError[] = name === "" ? [required(`${path}.name`)] : [];
  switch (kind) {
    case "ServiceAccount":
      if (name !== "") errors.push(...invalids(`${path}.name`, name, isDns1123Subdomain(name)));
      if (apiGroup !== "") errors.push(unsupported(`${path}.apiGroup`, apiGroup, [""]));
      if (!namespaced && namespace === "") errors.push(required(`${path}.namespace`));
      break;
    case "User":
    case "Group":
      if (apiGroup !== rbacGroup) errors.push(unsupported(`${path}.apiGroup`, apiGroup, [rbacGroup]));
      break;
    default:
      errors.push(unsupported(`${path}.kind`, kind, ["ServiceAccount", "User", "Group"]));
  }
  return errors;
}

function validateBindingUpdate(next: AnyObject, old: AnyObject): FieldError[] {
  const shown = ({ apiGroup = "", kind = "", name = "" }: AnyObject): object => ({ APIGroup: apiGroup, Kind: kind, Name: name });
  const [now, before] = [shown(next.roleRef ?? {}), shown(old.roleRef ?? {})];
  return deepEqual(now, before) ? [] : [invalidValue("roleRef", now, "cannot change roleRef")];
}

const wholeNumber = "must be a non-negative integer";
const orNull = (value: unknown): unknown => value ?? null;

function validatePriorityLevel(level: AnyObject): FieldError[] {
  const name: string = level.metadata?.name ?? "";
  const spec = level.spec ?? {};
  const errors: FieldError[] = [];
  const isKnown = spec.type === "Exempt" || spec.type === "Limited";
  if (isKnown && (spec.type === "Exempt") !== (name === "exempt")) {
    errors.push(invalidValue("spec.type", spec.type, "must be 'Exempt' if and only if `name` is 'exempt'"));
  }
  if (!isKnown) errors.push(unsupported("spec.type", spec.type ?? "", ["Exempt", "Limited"]));
  if (spec.type === "Exempt") {
    if (orNull(spec.limited) !== null) errors.push(forbiddenField("spec.limited", "must be nil if the type is not Limited"));
    if (orNull(spec.exempt) === null) errors.push(required("spec.exempt", "must not be empty when type is Exempt"));
    else errors.push(...validateShares(spec.exempt, "spec.exempt"), ...validateLendable(spec.exempt, "spec.exempt"));
  }
  if (spec.type === "Limited") {
    if (orNull(spec.exempt) !== null) errors.push(forbiddenField("spec.exempt", "must be nil if the type is Limited"));
    if (orNull(spec.limited) === null) errors.push(required("spec.limited", "must not be empty when type is Limited"));
    else errors.push(...validateLimited(spec.limited));
  }
  return [...errors, ...fixedPriorityLevel(name, spec)];
}

const validateShares = (part: AnyObject, path: string): FieldError[] =>
  (part.nominalConcurrencyShares ?? 0) < 0
    ? [invalidValue(`${path}.nominalConcurrencyShares`, part.nominalConcurrencyShares, wholeNumber)]
    : [];

const validateLendable = (part: AnyObject, path: string): FieldError[] => {
  const value = part.lendablePercent ?? 0;
  return value < 0 || value > 100 ? [invalidValue(`${path}.lendablePercent`, value, "must be between 0 and 100, inclusive")] : [];
};

function validateLimited(limited: AnyObject): FieldError[] {
  const path = "spec.limited";
  const borrowing = limited.borrowingLimitPercent;
  return [
    ...validateShares(limited, path),
    ...validateResponse(limited.limitResponse ?? {}, `${path}.limitResponse`),
    ...validateLendable(limited, path),
    ...((borrowing ?? 0) < 0
      ? [invalidValue(`${path}.borrowingLimitPercent`, borrowing, "if specified, must be a non-negative integer")]
      : []),
  ];
}

function validateResponse(response: AnyObject, path: string): FieldError[] {
  const hasQueuing = orNull(response.queuing) !== null;
  switch (response.type) {
    case "Reject":
      return hasQueuing ? [forbiddenField(`${path}.queuing`, "must be nil if limited.limitResponse.type is not Limited")] : [];
    case "Queue":
      return hasQueuing
        ? validateQueuing(response.queuing, `${path}.queuing`)
        : [required(`${path}.queuing`, "must not be empty if limited.limitResponse.type is Limited")];
    default:
      return [unsupported(`${path}.type`, response.type ?? "", ["Queue", "Reject"])];
  }
}

const mostQueues = 10_000_000;

function validateQueuing(queuing: AnyObject, path: string): FieldError[] {
  const { queues = 0, handSize = 0, queueLengthLimit = 0 } = queuing;
  const errors: FieldError[] = [];
  if (queueLengthLimit <= 0) errors.push(invalidValue(`${path}.queueLengthLimit`, queueLengthLimit, "must be positive"));
  if (queues <= 0) errors.push(invalidValue(`${path}.queues`, queues, "must be positive"));
  else if (queues > mostQueues) errors.push(invalidValue(`${path}.queues`, queues, `must not be greater than ${mostQueues}`));
  if (handSize <= 0) errors.push(invalidValue(`${path}.handSize`, handSize, "must be positive"));
  else if (handSize > queues && queues > 0) {
    errors.push(invalidValue(`${path}.handSize`, handSize, `should not be greater than queues (${queues})`));
  } else if (entropyBits(queues, handSize) > 60) {
    const why = `required entropy bits of deckSize ${queues} and handSize ${handSize} should not be greater than 60`;
    errors.push(invalidValue(`${path}.handSize`, handSize, why));
  }
  return errors;
}

/** Bits that choosing `hand` of `deck` queues takes: the shuffle sharding hash has 60. */
function entropyBits(deck: number, hand: number): number {
  if (deck <= 0) return 0;
  let bits = 0;
  for (let card = 0; card < hand; card++) bits += Math.log2(deck - card);
  return Math.ceil(bits);
}

// Objects that every cluster has just so. In Go's words, as upstream prints what it was given.

function fixedPriorityLevel(name: string, spec: AnyObject): FieldError[] {
  const part = (value: AnyObject): unknown =>
    orNull(value) === null
      ? null
      : { NominalConcurrencyShares: value.nominalConcurrencyShares ?? 0, LendablePercent: value.lendablePercent ?? 0 };
  const limited = (value: AnyObject): unknown =>
    orNull(value) === null
      ? null
      : {
          NominalConcurrencyShares: value.nominalConcurrencyShares ?? 0,
          LimitResponse: { Type: value.limitResponse?.type ?? "", Queuing: orNull(value.limitResponse?.queuing) },
          LendablePercent: value.lendablePercent ?? 0,
          BorrowingLimitPercent: orNull(value.borrowingLimitPercent),
        };
  const shown = { Type: spec.type ?? "", Limited: limited(spec.limited), Exempt: part(spec.exempt) };
  if (name === "exempt" && (spec.type !== "Exempt" || orNull(spec.limited) !== null)) {
    return [invalidValue("spec", shown, "spec of 'exempt' except the 'spec.exempt' field must equal the fixed value")];
  }
  const fixed = { nominalConcurrencyShares: 5, limitResponse: { type: "Reject" } };
  const wanted = { Type: "Limited", Limited: limited(fixed), Exempt: null };
  return name === "catch-all" && !deepEqual(shown, wanted)
    ? [invalidValue("spec", shown, "spec of 'catch-all' must equal the fixed value")]
    : [];
}

function flowSchemaShown(spec: AnyObject): AnyObject {
  const subject = (each: AnyObject): object => ({
    Kind: each.kind ?? "",
    User: orNull(each.user) === null ? null : { Name: each.user.name ?? "" },
    Group: orNull(each.group) === null ? null : { Name: each.group.name ?? "" },
    ServiceAccount:
      orNull(each.serviceAccount) === null
        ? null
        : { Namespace: each.serviceAccount.namespace ?? "", Name: each.serviceAccount.name ?? "" },
  });
  const resource = (each: AnyObject): object => ({
    Verbs: orNull(each.verbs),
    APIGroups: orNull(each.apiGroups),
    Resources: orNull(each.resources),
    ClusterScope: each.clusterScope ?? false,
    Namespaces: orNull(each.namespaces),
  });
  const path = (each: AnyObject): object => ({ Verbs: orNull(each.verbs), NonResourceURLs: orNull(each.nonResourceURLs) });
  return {
    PriorityLevelConfiguration: { Name: spec.priorityLevelConfiguration?.name ?? "" },
    MatchingPrecedence: spec.matchingPrecedence ?? 0,
    DistinguisherMethod: orNull(spec.distinguisherMethod) === null ? null : { Type: spec.distinguisherMethod.type ?? "" },
    Rules: orNull(
      spec.rules?.map((rule: AnyObject) => ({
        Subjects: orNull(rule.subjects?.map(subject)),
        ResourceRules: orNull(rule.resourceRules?.map(resource)),
        NonResourceRules: orNull(rule.nonResourceRules?.map(path)),
      })),
    ),
  };
}

const everything = {
  resourceRules: [{ verbs: ["*"], apiGroups: ["*"], resources: ["*"], clusterScope: true, namespaces: ["*"] }],
  nonResourceRules: [{ verbs: ["*"], nonResourceURLs: ["*"] }],
};
const groups = (...names: readonly string[]): readonly object[] => names.map((name) => ({ kind: "Group", group: { name } }));
const fixedSchemas: Readonly<Record<string, AnyObject>> = {
  exempt: {
    priorityLevelConfiguration: { name: "exempt" },
    matchingPrecedence: 1,
    rules: [{ subjects: groups("system:masters"), ...everything }],
  },
  "catch-all": {
    priorityLevelConfiguration: { name: "catch-all" },
    matchingPrecedence: 10_000,
    distinguisherMethod: { type: "ByUser" },
    rules: [{ subjects: groups("system:unauthenticated", "system:authenticated"), ...everything }],
  },
};

function validateFlowSchema(schema: AnyObject): FieldError[] {
  const name: string = schema.metadata?.name ?? "";
  const spec = schema.spec ?? {};
  const fixed = own(fixedSchemas, name);
  if (fixed !== undefined && !deepEqual(flowSchemaShown(spec), flowSchemaShown(fixed))) {
    return [invalidValue("spec", flowSchemaShown(spec), `spec of '${name}' must equal the fixed value`)];
  }
  const errors: FieldError[] = [];
  const precedence = spec.matchingPrecedence ?? 0;
  if (precedence <= 0) errors.push(invalidValue("spec.matchingPrecedence", precedence, "must be a positive value"));
  if (precedence > 10_000) errors.push(invalidValue("spec.matchingPrecedence", precedence, "must not be greater than 10000"));
  if (precedence === 1 && name !== "exempt") {
    errors.push(
      invalidValue("spec.matchingPrecedence", precedence, "only the schema named 'exempt' may have matchingPrecedence 1"),
    );
  }
  const method = spec.distinguisherMethod?.type;
  if (orNull(spec.distinguisherMethod) !== null && method !== "ByUser" && method !== "ByNamespace") {
    errors.push(unsupported("spec.distinguisherMethod.type", { Type: method ?? "" }, ["ByNamespace", "ByUser"]));
  }
  const level = spec.priorityLevelConfiguration?.name ?? "";
  if (level === "") errors.push(required("spec.priorityLevelConfiguration.name", "must reference a priority level"));
  else errors.push(...invalids("spec.priorityLevelConfiguration.name", level, isDns1123Subdomain(level)));
  for (const [i, rule] of (spec.rules ?? []).entries()) errors.push(...validateFlowRule(rule, `spec.rules[${i}]`));
  return errors;
}

export const securityRules: Readonly<Record<string, KindRules>> = {
  "rbac.authorization.k8s.io/Role": plainKind({
    namespaced: true,
    name: pathSegmentName,
    createOnUpdate: true,
    check: (role) => validateRules(role, true),
    updateChecksObject: "first",
  }),
  "rbac.authorization.k8s.io/ClusterRole": plainKind({
    namespaced: false,
    name: pathSegmentName,
    createOnUpdate: true,
    check: validateClusterRole,
    updateChecksObject: "first",
  }),
  "rbac.authorization.k8s.io/RoleBinding": plainKind({
    namespaced: true,
    name: pathSegmentName,
    createOnUpdate: true,
    default: others.defaultRoleBinding,
    check: validateBinding(true),
    checkUpdate: validateBindingUpdate,
    updateChecksObject: "first",
  }),
  "rbac.authorization.k8s.io/ClusterRoleBinding": plainKind({
    namespaced: false,
    name: pathSegmentName,
    createOnUpdate: true,
    default: others.defaultRoleBinding,
    check: validateBinding(false),
    checkUpdate: validateBindingUpdate,
    updateChecksObject: "first",
  }),
  "flowcontrol.apiserver.k8s.io/FlowSchema": plainKind({
    prepareForStatusUpdate: keepSpecAndMeta,
    namespaced: false,
    status: true,
    generation: true,
    default: others.defaultFlowSchema,
    check: validateFlowSchema,
    updateChecksObject: "first",
  }),
  "flowcontrol.apiserver.k8s.io/PriorityLevelConfiguration": plainKind({
    prepareForStatusUpdate: keepSpecAndMeta,
    namespaced: false,
    status: true,
    generation: true,
    default: others.defaultPriorityLevel,
    check: validatePriorityLevel,
    updateChecksObject: "first",
  }),
};
