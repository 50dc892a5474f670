// Creates what every cluster has: namespaces, roles and bindings, priority classes, flow control; reconciles the policy with a newer version's.
import { type ApiObject, configMaps, namespaces, priorityClasses } from "#api";
import type { Clock } from "#base";
import { type ObjectRef, rfc3339 } from "#client";
import type { ObjectReader, ObjectWriter } from "../../contract.ts";
import { defaultFlowControl } from "./flow-control.ts";
import { serviceRange } from "./master-service.ts";
import { defaultPolicy, reconciled, type Wanted } from "./policy.ts";

export interface BootstrapDeps {
  readonly reader: ObjectReader;
  readonly writer: ObjectWriter;
  readonly clock: Clock;
  /** PEM: what the configmap for extension API servers tells about client certificates. */
  readonly clientCa?: string;
  readonly serviceRanges: readonly string[];
}

const systemNamespaces = ["default", "kube-system", "kube-public", "kube-node-lease"] as const;

function namespace(name: string): Wanted {
  const object = {
    apiVersion: "v1",
    kind: "Namespace",
    metadata: { name, labels: { "kubernetes.io/metadata.name": name } },
    spec: { finalizers: ["kubernetes"] },
    status: { phase: "Active" },
  };
  return { type: namespaces, object };
}

function priorityClass(name: string, value: number, description: string): Wanted {
  const object = {
    apiVersion: "scheduling.k8s.io/v1",
    kind: "PriorityClass",
    metadata: { name },
    value,
    description,
    preemptionPolicy: "PreemptLowerPriority",
  };
  return { type: priorityClasses, object };
}

/** Priorities from 2 000 000 000 on are the system's. */
export const systemPriorityClasses: readonly (readonly [name: string, value: number, description: string])[] = [
  ["system-node-critical", 2_000_001_000, "Used for system critical pods that must not be moved from their current node."],
  [
    "system-cluster-critical",
    2_000_000_000,
    "Used for system critical pods that must run in the cluster, but can be moved to another node if necessary.",
  ],
];

function extensionAuthentication(clientCa: string | undefined): Wanted {
  const object = {
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: { name: "extension-apiserver-authentication", namespace: "kube-system" },
    ...(clientCa === undefined ? {} : { data: { "client-ca-file": clientCa } }),
  };
  return { type: configMaps, object };
}

/** Idempotent: one pass of look-ups when everything is there, one batch of creates on a new cluster. */
export async function bootstrap({ reader, writer, clock, clientCa, serviceRanges }: BootstrapDeps): Promise<void> {
  const policy = defaultPolicy();
  const wanted: readonly Wanted[] = [
    ...systemNamespaces.map(namespace),
    ...systemPriorityClasses.map((each) => priorityClass(...each)),
    ...policy,
    ...defaultFlowControl(rfc3339(clock.now())),
    extensionAuthentication(clientCa),
    serviceRange(serviceRanges),
  ];
  const missing = wanted.filter(({ type, object }) => reader.get<ApiObject>(type, refOf(object)) === undefined);
  if (missing.length > 0) await writer.createMissing(missing);
  if (missing.length === wanted.length) return;
  for (const { type, object } of policy) {
    const existing = reader.get<ApiObject>(type, refOf(object));
    if (existing === undefined || reconciled(existing, object) === undefined) continue;
    await writer.update(type, refOf(object), (current) => reconciled(current, object));
  }
}

const refOf = (object: ApiObject): ObjectRef => {
  const { name = "", namespace } = object.metadata;
  return namespace === undefined ? { name } : { namespace, name };
};
