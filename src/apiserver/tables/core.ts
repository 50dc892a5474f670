// Tables of the core group: nodes, services, endpoints, namespaces, events, quotas and the rest.
import { age } from "#api";
import { type Any, ageOf, containerCells, mapText, nameOf, orNone } from "./cells.ts";
import { ageColumn, column, nameColumn, wide } from "./column.ts";
import { podTable } from "./pods.ts";
import type { TableKind } from "./table.ts";

export const nameAndAge: TableKind = {
  columns: [nameColumn, ageColumn],
  cells: (object, nowMs) => [nameOf(object), ageOf(object, nowMs)],
};

const roleLabel = "node-role.kubernetes.io/";

function nodeStatus(node: Any): string {
  const ready = (node.status?.conditions ?? []).find((condition: Any) => condition.type === "Ready");
  const words = ready === undefined ? ["Unknown"] : [ready.status === "True" ? "Ready" : "NotReady"];
  if (node.spec?.unschedulable === true) words.push("SchedulingDisabled");
  return words.join(",");
}

function nodeRoles(node: Any): string {
  const roles = new Set<string>();
  for (const [key, value] of Object.entries((node.metadata.labels ?? {}) as Record<string, string>)) {
    if (key.startsWith(roleLabel) && key.length > roleLabel.length) roles.add(key.slice(roleLabel.length));
    else if (key === "kubernetes.io/role" && value !== "") roles.add(value);
  }
  return orNone([...roles].sort().join(","));
}

const nodeAddress = (node: Any, type: string): string =>
  (node.status?.addresses ?? []).find((address: Any) => address.type === type)?.address ?? "<none>";
const orUnknown = (text: string | undefined): string => (text === undefined || text === "" ? "<unknown>" : text);

function servicePorts(service: Any): string {
  return orNone(
    (service.spec?.ports ?? [])
      .map((port: Any) => `${port.port}${(port.nodePort ?? 0) > 0 ? `:${port.nodePort}` : ""}/${port.protocol}`)
      .join(","),
  );
}

function serviceExternal(service: Any): string {
  const { type, externalIPs = [], externalName } = service.spec ?? {};
  if (type === "ExternalName") return externalName ?? "";
  if (type !== "LoadBalancer") return orNone(externalIPs.join(","));
  const ingress = (service.status?.loadBalancer?.ingress ?? [])
    .map((point: Any) => point.ip ?? point.hostname ?? "")
    .filter((text: string) => text !== "");
  const all = [...ingress, ...externalIPs];
  return all.length === 0 ? "<pending>" : all.join(",");
}

function endpointText(endpoints: Any): string {
  const found: string[] = [];
  for (const subset of endpoints.subsets ?? []) {
    const ports: Any[] = subset.ports ?? [];
    for (const port of ports.length === 0 ? [undefined] : ports) {
      for (const { ip } of subset.addresses ?? []) {
        found.push(port === undefined ? ip : ip.includes(":") ? `[${ip}]:${port.port}` : `${ip}:${port.port}`);
      }
    }
  }
  if (found.length === 0) return "<none>";
  return `${found.slice(0, 3).join(",")}${found.length > 3 ? ` + ${found.length - 3} more...` : ""}`;
}

function quotaTexts(quota: Any): readonly [request: string, limit: string] {
  const requests: string[] = [];
  const limits: string[] = [];
  const { hard = {}, used = {} } = quota.status ?? {};
  for (const name of Object.keys(hard).sort())
    (name.startsWith("limits") ? limits : requests).push(`${name}: ${used[name] ?? "0"}/${hard[name]}`);
  return [requests.join(", "), limits.join(", ")];
}

const eventSource = (event: Any): string => {
  const component = event.source?.component || event.reportingComponent || event.reportingController || "";
  const instance = event.source?.host || event.reportingInstance;
  return instance ? `${component}, ${instance}` : component;
};

export const eventTable = (of: (object: Any) => Any): TableKind => ({
  columns: [
    column("Last Seen"),
    column("Type"),
    column("Reason"),
    column("Object"),
    wide("Subobject"),
    wide("Source"),
    column("Message"),
    wide("First Seen"),
    wide("Count"),
    { ...nameColumn, priority: 1 },
  ],
  cells: (object: Any, nowMs) => {
    const event = of(object);
    const first = event.firstTimestamp ?? event.eventTime;
    const last = event.series?.lastObservedTime ?? event.lastTimestamp ?? first;
    const count = event.series?.count ?? event.count ?? 1;
    const about = event.involvedObject ?? {};
    return [
      age(last ?? undefined, nowMs),
      event.type ?? "",
      event.reason ?? "",
      (about.kind ?? "") === "" ? (about.name ?? "") : `${about.kind.toLowerCase()}/${about.name ?? ""}`,
      about.fieldPath ?? "",
      eventSource(event),
      (event.message ?? "").trim(),
      age(first ?? undefined, nowMs),
      count === 0 ? 1 : count,
      nameOf(event),
    ];
  },
});

export const coreTables: Readonly<Record<string, TableKind>> = {
  "/Pod": podTable,
  "/ServiceAccount": nameAndAge,
  "/Event": eventTable((event) => event),
  "/ConfigMap": {
    columns: [nameColumn, column("Data"), ageColumn],
    cells: (object: Any, nowMs) => [
      nameOf(object),
      Object.keys(object.data ?? {}).length + Object.keys(object.binaryData ?? {}).length,
      ageOf(object, nowMs),
    ],
  },
  "/Secret": {
    columns: [nameColumn, column("Type"), column("Data"), ageColumn],
    cells: (object: Any, nowMs) => [
      nameOf(object),
      object.type ?? "",
      Object.keys(object.data ?? {}).length,
      ageOf(object, nowMs),
    ],
  },
  "/Namespace": {
    columns: [nameColumn, column("Status"), ageColumn],
    cells: (object: Any, nowMs) => [nameOf(object), object.status?.phase ?? "", ageOf(object, nowMs)],
  },
  "/Node": {
    columns: [
      nameColumn,
      column("Status"),
      column("Roles"),
      ageColumn,
      column("Version"),
      wide("Internal-IP"),
      wide("External-IP"),
      wide("OS-Image"),
      wide("Kernel-Version"),
      wide("Container-Runtime"),
    ],
    cells: (object: Any, nowMs) => {
      const info = object.status?.nodeInfo ?? {};
      return [
        nameOf(object),
        nodeStatus(object),
        nodeRoles(object),
        ageOf(object, nowMs),
        info.kubeletVersion ?? "",
        nodeAddress(object, "InternalIP"),
        nodeAddress(object, "ExternalIP"),
        orUnknown(info.osImage),
        orUnknown(info.kernelVersion),
        orUnknown(info.containerRuntimeVersion),
      ];
    },
  },
  "/Service": {
    columns: [
      nameColumn,
      column("Type"),
      column("Cluster-IP"),
      column("External-IP"),
      column("Port(s)"),
      ageColumn,
      wide("Selector"),
    ],
    cells: (object: Any, nowMs) => [
      nameOf(object),
      object.spec?.type ?? "",
      orNone(object.spec?.clusterIPs?.[0] ?? object.spec?.clusterIP ?? ""),
      serviceExternal(object),
      servicePorts(object),
      ageOf(object, nowMs),
      mapText(object.spec?.selector),
    ],
  },
  "/Endpoints": {
    columns: [nameColumn, column("Endpoints"), ageColumn],
    cells: (object, nowMs) => [nameOf(object), endpointText(object), ageOf(object, nowMs)],
  },
  "/LimitRange": {
    columns: [nameColumn, column("Created At", "date")],
    cells: (object) => [nameOf(object), object.metadata.creationTimestamp ?? null],
  },
  "/ResourceQuota": {
    columns: [nameColumn, column("Request"), column("Limit"), ageColumn],
    cells: (object, nowMs) => [nameOf(object), ...quotaTexts(object), ageOf(object, nowMs)],
  },
  "/PodTemplate": {
    columns: [nameColumn, column("Containers"), column("Images"), column("Pod Labels")],
    cells: (object: Any) => [
      nameOf(object),
      ...containerCells(object.template?.spec),
      mapText(object.template?.metadata?.labels),
    ],
  },
  "/ComponentStatus": {
    columns: [nameColumn, column("Status"), column("Message"), column("Error")],
    cells: (object: Any) => [
      nameOf(object),
      object.conditions?.[0]?.status === "True" ? "Healthy" : "Unhealthy",
      object.conditions?.[0]?.message ?? "",
      "",
    ],
  },
};
