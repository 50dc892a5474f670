// A namespace whose owners share the cluster without disturbing others: `tiphys ns create --isolated`, as objects that anybody may change afterwards.
import {
  type ApiObject,
  type LimitRange,
  limitRanges,
  type Namespace,
  type NetworkPolicy,
  namespaces,
  networkPolicies,
  type ResourceQuota,
  type ResourceType,
  resourceQuotas,
} from "#api";
import type { Client } from "#client";

export interface Isolation {
  /** What the namespace's pods may ask for together: quantities ("4", "8Gi"). */
  readonly cpu: string;
  readonly memory: string;
  readonly pods: number;
  /** The Pod Security Standard that pods must meet; of what is not "restricted" their owners are warned. */
  readonly podSecurity: "privileged" | "baseline" | "restricted";
}

export interface Wanted {
  readonly type: ResourceType;
  readonly object: ApiObject;
}

const wanted = <T extends ApiObject>(type: ResourceType<T>, object: T): Wanted => ({ type, object });

/** In the order in which they are made: nothing runs in the namespace before the last. */
export function namespaceObjects(name: string, isolation: Isolation | undefined): readonly [Wanted, ...Wanted[]] {
  if (isolation === undefined) return [wanted<Namespace>(namespaces, { metadata: { name }, spec: {} })];
  const metadata = { name: "isolated", namespace: name };
  return [
    wanted<Namespace>(namespaces, { metadata: { name, labels: podSecurityLabels(isolation.podSecurity) }, spec: {} }),
    wanted<NetworkPolicy>(networkPolicies, { metadata, spec: amongThemselves }),
    wanted<ResourceQuota>(resourceQuotas, { metadata, spec: quota(isolation) }),
    wanted<LimitRange>(limitRanges, { metadata, spec: perContainer }),
  ];
}

const podSecurityLabels = (enforced: Isolation["podSecurity"]): Readonly<Record<string, string>> => ({
  "pod-security.kubernetes.io/enforce": enforced,
  "pod-security.kubernetes.io/audit": "restricted",
  "pod-security.kubernetes.io/warn": "restricted",
});

/** Nobody else gets in; out go questions to DNS, wherever it is. Further policies open what is wanted: policies add up. */
const amongThemselves: NetworkPolicy["spec"] = {
  podSelector: {},
  policyTypes: ["Ingress", "Egress"],
  ingress: [{ from: [{ podSelector: {} }] }],
  egress: [
    { to: [{ podSelector: {} }] },
    {
      ports: [
        { port: 53, protocol: "UDP" },
        { port: 53, protocol: "TCP" },
      ],
    },
  ],
};

const quota = ({ cpu, memory, pods }: Isolation): ResourceQuota["spec"] => ({
  hard: { "requests.cpu": cpu, "limits.cpu": cpu, "requests.memory": memory, "limits.memory": memory, pods: String(pods) },
});

/** A quota of requests and limits refuses pods that have none: these are theirs. */
const perContainer: LimitRange["spec"] = {
  limits: [{ type: "Container", defaultRequest: { cpu: "100m", memory: "128Mi" }, default: { cpu: "500m", memory: "512Mi" } }],
};

/** All of it or nothing: what cannot be completed is deleted again. Returns what was made, as kubectl names it ("resourcequota/isolated"). */
export async function createNamespace(
  name: string,
  isolation: Isolation | undefined,
  { client }: { readonly client: Client },
): Promise<readonly string[]> {
  const [namespace, ...others] = namespaceObjects(name, isolation);
  await client.create(namespace.type, namespace.object);
  try {
    for (const { type, object } of others) await client.create(type, object);
  } catch (error) {
    await client.delete(namespaces, { name });
    throw error;
  }
  return [namespace, ...others].map(
    ({ type: { singular, group }, object }) =>
      `${[singular, group].filter((word) => word !== "").join(".")}/${object.metadata.name}`,
  );
}
