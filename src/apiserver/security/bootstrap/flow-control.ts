// The default flow schemas and priority levels, as Kubernetes 1.36 shows them on a new cluster.
import { type ApiObject, flowSchemas, priorityLevelConfigurations } from "#api";
import { dangling } from "../dangling-schemas.ts";
import type { Wanted } from "./policy.ts";

const apiVersion = "flowcontrol.apiserver.k8s.io/v1";

const everything = {
  nonResourceRules: [{ nonResourceURLs: ["*"], verbs: ["*"] }],
  resourceRules: [{ apiGroups: ["*"], clusterScope: true, namespaces: ["*"], resources: ["*"], verbs: ["*"] }],
};
const leases = { apiGroups: ["coordination.k8s.io"], namespaces: ["*"], resources: ["leases"] };

const groups = (...names: readonly string[]): readonly object[] => names.map((name) => ({ kind: "Group", group: { name } }));
const users = (...names: readonly string[]): readonly object[] => names.map((name) => ({ kind: "User", user: { name } }));
const systemAccounts = [{ kind: "ServiceAccount", serviceAccount: { name: "*", namespace: "kube-system" } }];
const everybody = groups("system:unauthenticated", "system:authenticated");

interface Schema {
  readonly name: string;
  readonly precedence: number;
  readonly level: string;
  readonly distinguish?: "ByUser" | "ByNamespace";
  readonly subjects: readonly object[];
  /** Everything unless told. */
  readonly rules?: object;
}

const schemas: readonly Schema[] = [
  { name: "exempt", precedence: 1, level: "exempt", subjects: groups("system:masters") },
  {
    name: "probes",
    precedence: 2,
    level: "exempt",
    subjects: everybody,
    rules: { nonResourceRules: [{ nonResourceURLs: ["/healthz", "/readyz", "/livez"], verbs: ["get"] }] },
  },
  {
    name: "system-leader-election",
    precedence: 100,
    level: "leader-election",
    distinguish: "ByUser",
    subjects: [...users("system:kube-controller-manager", "system:kube-scheduler"), ...systemAccounts],
    rules: { resourceRules: [{ ...leases, verbs: ["get", "create", "update"] }] },
  },
  {
    name: "system-node-high",
    precedence: 400,
    level: "node-high",
    distinguish: "ByUser",
    subjects: groups("system:nodes"),
    rules: {
      resourceRules: [
        { apiGroups: [""], clusterScope: true, namespaces: ["*"], resources: ["nodes", "nodes/status"], verbs: ["*"] },
        { ...leases, verbs: ["*"] },
      ],
    },
  },
  { name: "system-nodes", precedence: 500, level: "system", distinguish: "ByUser", subjects: groups("system:nodes") },
  {
    name: "kube-controller-manager",
    precedence: 800,
    level: "workload-high",
    distinguish: "ByNamespace",
    subjects: users("system:kube-controller-manager"),
  },
  {
    name: "kube-scheduler",
    precedence: 800,
    level: "workload-high",
    distinguish: "ByNamespace",
    subjects: users("system:kube-scheduler"),
  },
  {
    name: "kube-system-service-accounts",
    precedence: 900,
    level: "workload-high",
    distinguish: "ByNamespace",
    subjects: systemAccounts,
  },
  {
    name: "service-accounts",
    precedence: 9000,
    level: "workload-low",
    distinguish: "ByUser",
    subjects: groups("system:serviceaccounts"),
  },
  { name: "global-default", precedence: 9900, level: "global-default", distinguish: "ByUser", subjects: everybody },
  { name: "catch-all", precedence: 10000, level: "catch-all", distinguish: "ByUser", subjects: everybody },
];

/** name, shares, lendable per cent, and its queues: number and hand size. */
const limited: readonly (readonly [name: string, shares: number, lendable: number, queues?: readonly [number, number]])[] = [
  ["catch-all", 5, 0],
  ["global-default", 20, 50, [128, 6]],
  ["leader-election", 10, 0, [16, 4]],
  ["node-high", 40, 25, [64, 6]],
  ["system", 30, 33, [64, 6]],
  ["workload-high", 40, 50, [128, 6]],
  ["workload-low", 100, 90, [128, 6]],
];

const metadata = (name: string): ApiObject["metadata"] => ({
  name,
  annotations: { "apf.kubernetes.io/autoupdate-spec": "true" },
});

/** `time`: since when the schemas' condition holds. */
export function defaultFlowControl(time: string): readonly Wanted[] {
  const level = (name: string, spec: object): Wanted => ({
    type: priorityLevelConfigurations,
    object: { apiVersion, kind: "PriorityLevelConfiguration", metadata: metadata(name), spec, status: {} } as ApiObject, // with spec
  });
  return [
    level("exempt", { type: "Exempt", exempt: { nominalConcurrencyShares: 0, lendablePercent: 0 } }),
    ...limited.map(([name, nominalConcurrencyShares, lendablePercent, queues]) =>
      level(name, {
        type: "Limited",
        limited: {
          nominalConcurrencyShares,
          lendablePercent,
          limitResponse:
            queues === undefined
              ? { type: "Reject" }
              : { type: "Queue", queuing: { queues: queues[0], handSize: queues[1], queueLengthLimit: 50 } },
        },
      }),
    ),
    ...schemas.map(({ name, precedence, level: priorityLevel, distinguish, subjects, rules }) => ({
      type: flowSchemas,
      object: {
        apiVersion,
        kind: "FlowSchema",
        metadata: metadata(name),
        spec: {
          priorityLevelConfiguration: { name: priorityLevel },
          matchingPrecedence: precedence,
          ...(distinguish === undefined ? {} : { distinguisherMethod: { type: distinguish } }),
          rules: [{ subjects, ...(rules ?? everything) }],
        },
        status: { conditions: [dangling(priorityLevel, true, time)] },
      } as ApiObject, // with spec
    })),
  ];
}
