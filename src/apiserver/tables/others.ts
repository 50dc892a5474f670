// Tables of storage, networking, policy, access, admission and device kinds.
import { humanDuration } from "#api";
import { type Any, accessModes, ageOf, nameOf, orNone, selectorCell } from "./cells.ts";
import { ageColumn, column, nameColumn, wide } from "./column.ts";
import { nameAndAge } from "./core.ts";
import type { TableKind } from "./table.ts";

type Cells = (object: Any) => readonly unknown[];

/** Name, columns, age. */
const withAge = (columns: TableKind["columns"], cells: Cells): TableKind => ({
  columns: [nameColumn, ...columns, ageColumn],
  cells: (object, nowMs) => [nameOf(object), ...cells(object), ageOf(object, nowMs)],
});

/** Name, columns, age, more columns. */
const aroundAge = (before: TableKind["columns"], after: TableKind["columns"], first: Cells, last: Cells): TableKind => ({
  columns: [nameColumn, ...before, ageColumn, ...after],
  cells: (object, nowMs) => [nameOf(object), ...first(object), ageOf(object, nowMs), ...last(object)],
});

const phase = (object: Any): string =>
  object.metadata.deletionTimestamp === undefined ? (object.status?.phase ?? "") : "Terminating";
const classOf = (object: Any): string =>
  object.metadata.annotations?.["volume.beta.kubernetes.io/storage-class"] ?? object.spec?.storageClassName ?? "";
const unset = (text: string | undefined): string => (text === undefined ? "<unset>" : text);

function csrCondition(request: Any): string {
  const words: string[] = [];
  const has = (type: string): boolean => (request.status?.conditions ?? []).some((condition: Any) => condition.type === type);
  words.push(has("Denied") ? "Denied" : has("Approved") ? "Approved" : "Pending");
  if (has("Failed")) words.push("Failed");
  if ((request.status?.certificate ?? "") !== "") words.push("Issued");
  return words.join(",");
}

const ingressAddress = (ingress: Any): string =>
  (ingress.status?.loadBalancer?.ingress ?? [])
    .map((point: Any) => point.ip || point.hostname || "")
    .filter((text: string) => text !== "")
    .join(",");

function ingressHosts(ingress: Any): string {
  const hosts: string[] = (ingress.spec?.rules ?? []).map((rule: Any) => rule.host ?? "").filter((host: string) => host !== "");
  if (hosts.length === 0) return "*";
  return hosts.length > 3 ? `${hosts.slice(0, 3).join(",")} + ${hosts.length - 3} more...` : hosts.join(",");
}

const subjectNames = (object: Any, kind: string): string =>
  (object.subjects ?? [])
    .filter((subject: Any) => subject.kind === kind)
    .map((subject: Any) => (kind === "ServiceAccount" ? `${subject.namespace ?? ""}/${subject.name}` : subject.name))
    .join(", ");

const bindingTable: TableKind = aroundAge(
  [column("Role")],
  [wide("Users"), wide("Groups"), wide("ServiceAccounts")],
  (object) => [`${object.roleRef?.kind}/${object.roleRef?.name}`],
  (object) => [subjectNames(object, "User"), subjectNames(object, "Group"), subjectNames(object, "ServiceAccount")],
);

function metricText(spec: Any, current: Any): string {
  const [source, now] = [
    spec[spec.type?.charAt(0).toLowerCase() + spec.type?.slice(1)] ?? {},
    current?.[spec.type?.charAt(0).toLowerCase() + spec.type?.slice(1)] ?? {},
  ];
  const target = source.target ?? {};
  const head = spec.type === "Resource" || spec.type === "ContainerResource" ? `${source.name}: ` : "";
  if (target.averageUtilization !== undefined)
    return `${head}${now.current?.averageUtilization === undefined ? "<unknown>" : `${now.current.averageUtilization}%`}/${target.averageUtilization}%`;
  if (target.averageValue !== undefined)
    return `${head}${now.current?.averageValue ?? "<unknown>"}/${target.averageValue}${spec.type === "External" || spec.type === "Object" ? " (avg)" : ""}`;
  return `${head}${now.current?.value ?? "<unknown>"}/${target.value ?? "<auto>"}`;
}

function hpaTargets(hpa: Any): string {
  const metrics: Any[] = hpa.spec?.metrics ?? [];
  if (metrics.length === 0) return "<none>";
  const texts = metrics.slice(0, 2).map((metric, index) => metricText(metric, hpa.status?.currentMetrics?.[index]));
  return `${texts.join(", ")}${metrics.length > 2 ? ` + ${metrics.length - 2} more...` : ""}`;
}

const hpaV1Targets = (hpa: Any): string =>
  hpa.spec?.targetCPUUtilizationPercentage === undefined
    ? "<none>"
    : `cpu: ${hpa.status?.currentCPUUtilizationPercentage === undefined ? "<unknown>" : `${hpa.status.currentCPUUtilizationPercentage}%`}/${hpa.spec.targetCPUUtilizationPercentage}%`;

const few = (texts: readonly string[], empty: string): string =>
  texts.length === 0
    ? empty
    : texts.length > 3
      ? `${texts.slice(0, 3).join(",")} + ${texts.length - 3} more...`
      : texts.join(",");

function claimState(claim: Any): string {
  const words: string[] = [];
  if (claim.metadata.deletionTimestamp !== undefined) words.push("deleted");
  if (claim.status?.allocation === undefined) return [...words, "pending"].join(",");
  words.push("allocated");
  if ((claim.status.reservedFor ?? []).length > 0) words.push("reserved");
  return words.join(",");
}

const kindText = (kind: Any): string => (kind === undefined ? "<unset>" : `${kind.apiVersion}/${kind.kind}`);
const createdAt: TableKind = {
  columns: [nameColumn, column("Created At", "date", { description: ageColumn.description })],
  cells: (object) => [nameOf(object), object.metadata.creationTimestamp ?? null],
};
const orNA = (value: unknown): string => (value === undefined ? "N/A" : String(value));

export const otherTables: Readonly<Record<string, TableKind>> = {
  "rbac.authorization.k8s.io/Role": createdAt,
  "rbac.authorization.k8s.io/ClusterRole": createdAt,
  "rbac.authorization.k8s.io/RoleBinding": bindingTable,
  "rbac.authorization.k8s.io/ClusterRoleBinding": bindingTable,
  "storage.k8s.io/CSIStorageCapacity": createdAt,
  "/PersistentVolume": {
    columns: [
      nameColumn,
      column("Capacity"),
      column("Access Modes"),
      column("Reclaim Policy"),
      column("Status"),
      column("Claim"),
      column("StorageClass"),
      column("VolumeAttributesClass"),
      column("Reason"),
      ageColumn,
      wide("VolumeMode"),
    ],
    cells: (object: Any, nowMs) => {
      const { spec = {}, status = {} } = object;
      const claim = spec.claimRef === undefined ? "" : `${spec.claimRef.namespace ?? ""}/${spec.claimRef.name ?? ""}`;
      return [
        nameOf(object),
        spec.capacity?.storage ?? "",
        accessModes(spec.accessModes),
        spec.persistentVolumeReclaimPolicy ?? "",
        phase(object),
        claim,
        classOf(object),
        unset(spec.volumeAttributesClassName),
        status.reason ?? "",
        ageOf(object, nowMs),
        unset(spec.volumeMode),
      ];
    },
  },
  "/PersistentVolumeClaim": {
    columns: [
      nameColumn,
      column("Status"),
      column("Volume"),
      column("Capacity"),
      column("Access Modes"),
      column("StorageClass"),
      column("VolumeAttributesClass"),
      ageColumn,
      wide("VolumeMode"),
    ],
    cells: (object: Any, nowMs) => {
      const { spec = {}, status = {} } = object;
      const bound = (spec.volumeName ?? "") !== "";
      return [
        nameOf(object),
        phase(object),
        spec.volumeName ?? "",
        bound ? (status.capacity?.storage ?? "0") : "",
        bound ? accessModes(status.accessModes) : "",
        classOf(object),
        unset(spec.volumeAttributesClassName),
        ageOf(object, nowMs),
        unset(spec.volumeMode),
      ];
    },
  },
  "storage.k8s.io/StorageClass": {
    columns: [
      nameColumn,
      column("Provisioner"),
      column("ReclaimPolicy"),
      column("VolumeBindingMode"),
      column("AllowVolumeExpansion"),
      ageColumn,
    ],
    cells: (object: Any, nowMs) => {
      const isDefault = ["storageclass.kubernetes.io/is-default-class", "storageclass.beta.kubernetes.io/is-default-class"].some(
        (key) => object.metadata.annotations?.[key] === "true",
      );
      return [
        `${nameOf(object)}${isDefault ? " (default)" : ""}`,
        object.provisioner ?? "",
        object.reclaimPolicy ?? "Delete",
        object.volumeBindingMode ?? "Immediate",
        object.allowVolumeExpansion ?? false,
        ageOf(object, nowMs),
      ];
    },
  },
  "storage.k8s.io/CSIDriver": withAge(
    [
      column("AttachRequired", "boolean"),
      column("PodInfoOnMount", "boolean"),
      column("StorageCapacity", "boolean"),
      column("TokenRequests"),
      column("RequiresRepublish", "boolean"),
      column("Modes"),
    ],
    ({ spec = {} }) => [
      spec.attachRequired ?? true,
      spec.podInfoOnMount ?? false,
      spec.storageCapacity ?? false,
      (spec.tokenRequests ?? []).length === 0 ? "<unset>" : spec.tokenRequests.map((request: Any) => request.audience).join(","),
      spec.requiresRepublish ?? false,
      (spec.volumeLifecycleModes ?? []).join(","),
    ],
  ),
  "storage.k8s.io/CSINode": withAge([column("Drivers", "integer")], (object) => [(object.spec?.drivers ?? []).length]),
  "storage.k8s.io/VolumeAttachment": withAge(
    [column("Attacher", "string", { format: "name" }), column("PV"), column("Node"), column("Attached", "boolean")],
    ({ spec = {}, status = {} }) => [
      spec.attacher ?? "",
      spec.source?.persistentVolumeName ?? "",
      spec.nodeName ?? "",
      status.attached ?? false,
    ],
  ),
  "storage.k8s.io/VolumeAttributesClass": withAge([column("DriverName")], (object) => [object.driverName ?? ""]),
  "networking.k8s.io/Ingress": withAge([column("Class"), column("Hosts"), column("Address"), column("Ports")], (object) => [
    object.spec?.ingressClassName ?? object.metadata.annotations?.["kubernetes.io/ingress.class"] ?? "<none>",
    ingressHosts(object),
    ingressAddress(object),
    (object.spec?.tls ?? []).length > 0 ? "80, 443" : "80",
  ]),
  "networking.k8s.io/IngressClass": withAge([column("Controller"), column("Parameters")], ({ spec = {} }) => [
    spec.controller ?? "",
    spec.parameters === undefined
      ? "<none>"
      : `${spec.parameters.kind}${spec.parameters.apiGroup ? `.${spec.parameters.apiGroup}` : ""}/${spec.parameters.name}`,
  ]),
  "networking.k8s.io/NetworkPolicy": withAge([column("Pod-Selector")], (object) => [
    selectorCell(object.spec?.podSelector ?? {}),
  ]),
  "networking.k8s.io/IPAddress": {
    columns: [nameColumn, column("ParentRef")],
    cells: (object: Any) => {
      const parent = object.spec?.parentRef ?? {};
      return [
        nameOf(object),
        [`${parent.resource ?? ""}${parent.group ? `.${parent.group}` : ""}`, parent.namespace ?? "", parent.name ?? ""]
          .filter((text) => text !== "")
          .join("/"),
      ];
    },
  },
  "networking.k8s.io/ServiceCIDR": withAge([column("CIDRs")], (object) => [(object.spec?.cidrs ?? []).join(",")]),
  "discovery.k8s.io/EndpointSlice": withAge([column("AddressType"), column("Ports"), column("Endpoints")], (object) => [
    object.addressType ?? "",
    few(
      (object.ports ?? []).map((port: Any) => ((port.port ?? null) === null ? port.name || "*" : `${port.port}`)),
      "<unset>",
    ),
    few(
      (object.endpoints ?? []).flatMap((endpoint: Any) => endpoint.addresses ?? []),
      "<unset>",
    ),
  ]),
  "policy/PodDisruptionBudget": withAge(
    [column("Min Available"), column("Max Unavailable"), column("Allowed Disruptions", "integer")],
    (object) => [orNA(object.spec?.minAvailable), orNA(object.spec?.maxUnavailable), object.status?.disruptionsAllowed ?? 0],
  ),
  "autoscaling/HorizontalPodAutoscaler": withAge(
    [column("Reference"), column("Targets"), column("MinPods"), column("MaxPods"), column("Replicas")],
    (object) => [
      `${object.spec?.scaleTargetRef?.kind}/${object.spec?.scaleTargetRef?.name}`,
      object.apiVersion === "autoscaling/v1" ? hpaV1Targets(object) : hpaTargets(object),
      String(object.spec?.minReplicas ?? "<unset>"),
      object.spec?.maxReplicas ?? 0,
      object.status?.currentReplicas ?? 0,
    ],
  ),
  "scheduling.k8s.io/PriorityClass": aroundAge(
    [column("Value", "integer"), column("Global-Default", "boolean")],
    [column("PreemptionPolicy")],
    (object) => [object.value ?? 0, object.globalDefault ?? false],
    (object) => [object.preemptionPolicy ?? ""],
  ),
  "node.k8s.io/RuntimeClass": withAge([column("Handler")], (object) => [object.handler ?? ""]),
  "coordination.k8s.io/Lease": withAge([column("Holder")], (object) => [object.spec?.holderIdentity ?? ""]),
  "certificates.k8s.io/CertificateSigningRequest": {
    columns: [nameColumn, ageColumn, column("SignerName"), column("Requestor"), column("RequestedDuration"), column("Condition")],
    cells: (object: Any, nowMs) => {
      const seconds = object.spec?.expirationSeconds;
      return [
        nameOf(object),
        ageOf(object, nowMs),
        object.spec?.signerName ?? "<none>",
        object.spec?.username ?? "",
        seconds === undefined ? "<none>" : humanDuration(seconds * 1_000),
        csrCondition(object),
      ];
    },
  },
  "flowcontrol.apiserver.k8s.io/FlowSchema": aroundAge(
    [column("PriorityLevel"), column("MatchingPrecedence"), column("DistinguisherMethod")],
    [column("MissingPL")],
    ({ spec = {} }) => [
      spec.priorityLevelConfiguration?.name ?? "<none>",
      spec.matchingPrecedence ?? 0,
      spec.distinguisherMethod?.type ?? "<none>",
    ],
    (object) => [(object.status?.conditions ?? []).find((condition: Any) => condition.type === "Dangling")?.status ?? "?"],
  ),
  "flowcontrol.apiserver.k8s.io/PriorityLevelConfiguration": withAge(
    [column("Type"), column("NominalConcurrencyShares"), column("Queues"), column("HandSize"), column("QueueLengthLimit")],
    ({ spec = {} }) => {
      const { limited, exempt } = spec;
      const queuing = limited?.limitResponse?.queuing;
      return [
        spec.type ?? "",
        limited?.nominalConcurrencyShares ?? exempt?.nominalConcurrencyShares ?? "<none>",
        queuing?.queues ?? "<none>",
        queuing?.handSize ?? "<none>",
        queuing?.queueLengthLimit ?? "<none>",
      ];
    },
  ),
  "admissionregistration.k8s.io/ValidatingWebhookConfiguration": withAge([column("Webhooks", "integer")], (object) => [
    (object.webhooks ?? []).length,
  ]),
  "admissionregistration.k8s.io/MutatingWebhookConfiguration": withAge([column("Webhooks", "integer")], (object) => [
    (object.webhooks ?? []).length,
  ]),
  "admissionregistration.k8s.io/ValidatingAdmissionPolicy": withAge(
    [column("Validations", "integer"), column("ParamKind")],
    ({ spec = {} }) => [(spec.validations ?? []).length, kindText(spec.paramKind)],
  ),
  "admissionregistration.k8s.io/MutatingAdmissionPolicy": withAge(
    [column("Mutations", "integer"), column("ParamKind")],
    ({ spec = {} }) => [(spec.mutations ?? []).length, kindText(spec.paramKind)],
  ),
  "admissionregistration.k8s.io/ValidatingAdmissionPolicyBinding": withAge(
    [column("PolicyName"), column("ParamRef")],
    ({ spec = {} }) => [spec.policyName ?? "", paramRef(spec.paramRef)],
  ),
  "admissionregistration.k8s.io/MutatingAdmissionPolicyBinding": withAge(
    [column("PolicyName"), column("ParamRef")],
    ({ spec = {} }) => [spec.policyName ?? "", paramRef(spec.paramRef)],
  ),
  "resource.k8s.io/ResourceClaim": withAge([column("State")], (object) => [claimState(object)]),
  "resource.k8s.io/ResourceClaimTemplate": nameAndAge,
  "resource.k8s.io/DeviceClass": nameAndAge,
  "resource.k8s.io/ResourceSlice": withAge([column("Node"), column("Driver"), column("Pool")], ({ spec = {} }) => [
    spec.nodeName ?? "",
    spec.driver ?? "",
    spec.pool?.name ?? "",
  ]),
  "apiregistration.k8s.io/APIService": withAge([column("Service"), column("Available")], (object) => {
    const { service } = object.spec ?? {};
    const available = (object.status?.conditions ?? []).find((condition: Any) => condition.type === "Available");
    return [
      service === undefined ? "Local" : `${service.namespace}/${service.name}`,
      available === undefined ? "Unknown" : available.status === "True" ? "True" : `${available.status} (${available.reason})`,
    ];
  }),
};

function paramRef(ref: Any): string {
  if (ref === undefined) return "<unset>";
  if (ref.name) return `${ref.namespace ? `${ref.namespace}/` : "*/"}${ref.name}`;
  return `${ref.namespace ? `${ref.namespace}/` : "*/"}${orNone("")}`;
}
