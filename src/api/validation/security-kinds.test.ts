// Roles, bindings, flow control, certificate requests: upstream's words for what is wrong.
import assert from "node:assert/strict";
import { test } from "node:test";
import { invalid } from "../errors.ts";
import { securityRules } from "./security-kinds.ts";

const group = "rbac.authorization.k8s.io";
const roleRef = { apiGroup: group, kind: "Role", name: "r" };

interface Row {
  readonly name: string;
  readonly kind: string;
  readonly object: object;
  /** The stored version, for an update. */
  readonly old?: object;
  /** After "... is invalid: "; "" when it is valid. */
  readonly expected: string;
}

const role = (...rules: readonly object[]): object => ({ metadata: { name: "x", namespace: "ns" }, rules });
const clusterRole = (more: object): object => ({ metadata: { name: "x" }, ...more });
const binding = (more: object): object => ({ metadata: { name: "x", namespace: "ns" }, roleRef, ...more });
const level = (spec: object, name = "x"): object => ({ metadata: { name }, spec });

const rows: readonly Row[] = [
  {
    name: "a flow schema's rule without content, as it is decoded",
    kind: "flowcontrol.apiserver.k8s.io/FlowSchema",
    object: {
      metadata: { name: "x" },
      spec: { priorityLevelConfiguration: { name: "p" }, matchingPrecedence: 5, rules: [{ subjects: null }] },
    },
    expected:
      "[spec.rules[0].subjects: Required value: subjects must contain at least one value, spec.rules[0]: Required value: at least one of resourceRules and nonResourceRules has to be non-empty]",
  },
  {
    name: "a rule needs verbs, groups and resources",
    kind: `${group}/Role`,
    object: role({}),
    expected:
      "[rules[0].verbs: Required value: verbs must contain at least one value, rules[0].apiGroups: Required value: resource rules must supply at least one api group, rules[0].resources: Required value: resource rules must supply at least one resource]",
  },
  {
    name: "a role has no paths",
    kind: `${group}/Role`,
    object: role({ verbs: ["get"], nonResourceURLs: ["/x"] }),
    expected: 'rules[0].nonResourceURLs: Invalid value: ["/x"]: namespaced rules cannot apply to non-resource URLs',
  },
  {
    name: "a rule is of resources or of paths",
    kind: `${group}/ClusterRole`,
    object: clusterRole({ rules: [{ verbs: ["get"], resources: ["pods"], nonResourceURLs: ["/x"] }] }),
    expected:
      'rules[0].nonResourceURLs: Invalid value: ["/x"]: rules cannot apply to both regular resources and non-resource URLs',
  },
  {
    name: "an aggregation rule needs a selector",
    kind: `${group}/ClusterRole`,
    object: clusterRole({ aggregationRule: {} }),
    expected:
      "aggregationRule.clusterRoleSelectors: Required value: at least one clusterRoleSelector required if aggregationRule is non-nil",
  },
  {
    name: "a selector of an aggregation rule must be one",
    kind: `${group}/ClusterRole`,
    object: clusterRole({ aggregationRule: { clusterRoleSelectors: [{ matchExpressions: [{ key: "a", operator: "Bogus" }] }] } }),
    expected:
      '[aggregationRule.clusterRoleSelectors[0].matchExpressions[0].operator: Invalid value: "Bogus": not a valid selector operator, aggregationRule.clusterRoleSelectors[0]: Invalid value: null: invalid label selector.]',
  },
  {
    name: "a good cluster role",
    kind: `${group}/ClusterRole`,
    object: clusterRole({ rules: [{ verbs: ["get"], nonResourceURLs: ["*"] }] }),
    expected: "",
  },
  {
    name: "a binding names a role",
    kind: `${group}/RoleBinding`,
    object: binding({ roleRef: { apiGroup: "x", kind: "y", name: "%" } }),
    expected: `[roleRef.apiGroup: Unsupported value: "x": supported values: "${group}", roleRef.kind: Unsupported value: "y": supported values: "Role", "ClusterRole", roleRef.name: Invalid value: "%": may not contain '%']`,
  },
  {
    name: "subjects are of three kinds",
    kind: `${group}/RoleBinding`,
    object: binding({
      subjects: [{}, { kind: "ServiceAccount", name: "s", apiGroup: "v1" }, { kind: "Group", name: "g", apiGroup: "q" }],
    }),
    expected: `[subjects[0].name: Required value, subjects[0].kind: Unsupported value: "": supported values: "ServiceAccount", "User", "Group", subjects[1].apiGroup: Unsupported value: "v1": supported values: "", subjects[2].apiGroup: Unsupported value: "q": supported values: "${group}"]`,
  },
  {
    name: "an account in a cluster role binding needs its namespace",
    kind: `${group}/ClusterRoleBinding`,
    object: {
      metadata: { name: "x" },
      roleRef: { ...roleRef, kind: "ClusterRole" },
      subjects: [{ kind: "ServiceAccount", name: "s" }],
    },
    expected: "subjects[0].namespace: Required value",
  },
  {
    name: "a binding keeps its role",
    kind: `${group}/RoleBinding`,
    object: binding({ metadata: { name: "x", namespace: "ns", resourceVersion: "1" }, roleRef: { ...roleRef, name: "z" } }),
    old: binding({ metadata: { name: "x", namespace: "ns", resourceVersion: "1" } }),
    expected: `roleRef: Invalid value: {"APIGroup":"${group}","Kind":"Role","Name":"z"}: cannot change roleRef`,
  },
  {
    name: "a level is exempt or limited",
    kind: "flowcontrol.apiserver.k8s.io/PriorityLevelConfiguration",
    object: level({ type: "Exempt", limited: {}, exempt: {} }),
    expected:
      "[spec.type: Invalid value: \"Exempt\": must be 'Exempt' if and only if `name` is 'exempt', spec.limited: Forbidden: must be nil if the type is not Limited]",
  },
  {
    name: "numbers of a limited level",
    kind: "flowcontrol.apiserver.k8s.io/PriorityLevelConfiguration",
    object: level({
      type: "Limited",
      limited: {
        nominalConcurrencyShares: -1,
        lendablePercent: 101,
        borrowingLimitPercent: -1,
        limitResponse: { type: "Bogus" },
      },
    }),
    expected:
      '[spec.limited.nominalConcurrencyShares: Invalid value: -1: must be a non-negative integer, spec.limited.limitResponse.type: Unsupported value: "Bogus": supported values: "Queue", "Reject", spec.limited.lendablePercent: Invalid value: 101: must be between 0 and 100, inclusive, spec.limited.borrowingLimitPercent: Invalid value: -1: if specified, must be a non-negative integer]',
  },
  {
    name: "a hand is no larger than the deck",
    kind: "flowcontrol.apiserver.k8s.io/PriorityLevelConfiguration",
    object: level({
      type: "Limited",
      limited: { limitResponse: { type: "Queue", queuing: { queues: 10, handSize: 11, queueLengthLimit: 1 } } },
    }),
    expected: "spec.limited.limitResponse.queuing.handSize: Invalid value: 11: should not be greater than queues (10)",
  },
  {
    name: "a hand needs no more bits than there are",
    kind: "flowcontrol.apiserver.k8s.io/PriorityLevelConfiguration",
    object: level({
      type: "Limited",
      limited: { limitResponse: { type: "Queue", queuing: { queues: 1_000_000, handSize: 60, queueLengthLimit: 50 } } },
    }),
    expected:
      "spec.limited.limitResponse.queuing.handSize: Invalid value: 60: required entropy bits of deckSize 1000000 and handSize 60 should not be greater than 60",
  },
  {
    name: "the last level stays as it is",
    kind: "flowcontrol.apiserver.k8s.io/PriorityLevelConfiguration",
    object: level(
      { type: "Limited", limited: { nominalConcurrencyShares: 7, lendablePercent: 0, limitResponse: { type: "Reject" } } },
      "catch-all",
    ),
    expected: `spec: Invalid value: {"Type":"Limited","Limited":{"NominalConcurrencyShares":7,"LimitResponse":{"Type":"Reject","Queuing":null},"LendablePercent":0,"BorrowingLimitPercent":null},"Exempt":null}: spec of 'catch-all' must equal the fixed value`,
  },
  {
    name: "only exempt comes first",
    kind: "flowcontrol.apiserver.k8s.io/FlowSchema",
    object: level({ matchingPrecedence: 1, priorityLevelConfiguration: { name: "x" } }),
    expected: "spec.matchingPrecedence: Invalid value: 1: only the schema named 'exempt' may have matchingPrecedence 1",
  },
];

for (const { name, kind, object, old, expected } of rows) {
  test(`${kind}: ${name}`, () => {
    const rules = securityRules[kind];
    const errors = old === undefined ? rules?.validate?.(object) : rules?.validateUpdate?.(object, old);
    assert.equal(
      invalid({ group: "g", kind: "K" }, "x", errors ?? []).message,
      `K.g "x" is invalid${expected === "" ? "" : `: ${expected}`}`,
    );
  });
}
