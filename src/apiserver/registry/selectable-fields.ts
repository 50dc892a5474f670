// Fields that field selectors may name, beyond metadata.name and metadata.namespace, by storage resource.
import type { ApiObject } from "#api";

export interface SelectableFields {
  /** Selector name to the name under which `of` gives the value. */
  readonly names: Readonly<Record<string, string>>;
  readonly of: (object: ApiObject) => Readonly<Record<string, string>>;
  /** What to say of any other name. */
  readonly unknown: (field: string) => string;
}

type Loose = { readonly [key: string]: unknown };
const at = (object: unknown, path: string): unknown =>
  path.split(".").reduce<unknown>((value, key) => (value as Loose | undefined | null)?.[key], object);
const same = (names: readonly string[]): Record<string, string> => Object.fromEntries(names.map((name) => [name, name]));
const notSupported = (field: string): string => `field label not supported: ${field}`;
const text = (value: unknown): string => (value === undefined || value === null ? "" : String(value));

/** Fields whose selector name is their path; absent strings are "". */
function byPath(...paths: readonly (readonly [path: string, absent: string] | string)[]): SelectableFields {
  const fields = paths.map((path) =>
    typeof path === "string" ? { name: path, absent: "" } : { name: path[0], absent: path[1] },
  );
  return {
    names: same(fields.map((field) => field.name)),
    unknown: notSupported,
    of: (object) => Object.fromEntries(fields.map(({ name, absent }) => [name, text(at(object, name)) || absent])),
  };
}

interface PodLike {
  readonly spec?: {
    readonly nodeName?: string;
    readonly restartPolicy?: string;
    readonly schedulerName?: string;
    readonly serviceAccountName?: string;
    readonly hostNetwork?: boolean;
  };
  readonly status?: {
    readonly phase?: string;
    readonly podIP?: string;
    readonly podIPs?: readonly { readonly ip?: string }[];
    readonly nominatedNodeName?: string;
  };
}

const pods: SelectableFields = {
  names: same([
    "spec.nodeName",
    "spec.restartPolicy",
    "spec.schedulerName",
    "spec.serviceAccountName",
    "spec.hostNetwork",
    "status.phase",
    "status.podIP",
    "status.podIPs",
    "status.nominatedNodeName",
  ]),
  unknown: notSupported,
  of: (object) => {
    const { spec, status } = object as PodLike;
    return {
      "spec.nodeName": spec?.nodeName ?? "",
      "spec.restartPolicy": spec?.restartPolicy ?? "",
      "spec.schedulerName": spec?.schedulerName ?? "",
      "spec.serviceAccountName": spec?.serviceAccountName ?? "",
      "spec.hostNetwork": spec?.hostNetwork ? "true" : "false",
      "status.phase": status?.phase ?? "",
      "status.podIP": status?.podIPs?.[0]?.ip ?? status?.podIP ?? "",
      "status.podIPs": status?.podIPs?.[0]?.ip ?? status?.podIP ?? "",
      "status.nominatedNodeName": status?.nominatedNodeName ?? "",
    };
  },
};

const eventPaths = ["kind", "namespace", "name", "uid", "apiVersion", "resourceVersion", "fieldPath"] as const;

const events: SelectableFields = {
  names: same([...eventPaths.map((path) => `involvedObject.${path}`), "reason", "reportingComponent", "source", "type"]),
  unknown: notSupported,
  of: (object) => {
    const event = object as unknown as Loose;
    const component = text(at(event, "source.component")) || text(event["reportingComponent"]);
    return {
      ...Object.fromEntries(eventPaths.map((path) => [`involvedObject.${path}`, text(at(event, `involvedObject.${path}`))])),
      reason: text(event["reason"]),
      reportingComponent: text(event["reportingComponent"]),
      source: component,
      type: text(event["type"]),
    };
  },
};

/** Of events.k8s.io: its own names for the fields of the stored core Event. */
export const eventsV1Fields: SelectableFields = {
  ...events,
  names: {
    ...Object.fromEntries(eventPaths.map((path) => [`regarding.${path}`, `involvedObject.${path}`])),
    reason: "reason",
    reportingController: "reportingComponent",
    type: "type",
  },
};

const noFields: SelectableFields = {
  names: {},
  of: () => none,
  unknown: (field) => `${JSON.stringify(field)} is not a known field selector: only "metadata.name", "metadata.namespace"`,
};
const none: Readonly<Record<string, string>> = {};

const table: Readonly<Record<string, SelectableFields>> = {
  pods,
  events,
  secrets: byPath("type"),
  nodes: byPath(["spec.unschedulable", "false"]),
  namespaces: byPath("status.phase"),
  services: byPath("spec.clusterIP", "spec.type"),
  replicationcontrollers: byPath(["status.replicas", "0"]),
  "jobs.batch": {
    ...byPath(["status.successful", "0"]),
    unknown: (field) => `field label ${JSON.stringify(field)} not supported for Job`,
  },
  "certificatesigningrequests.certificates.k8s.io": byPath("spec.signerName"),
  "resourceslices.resource.k8s.io": {
    ...byPath("spec.nodeName", "spec.driver"),
    unknown: (field) => `field label not supported for resource.k8s.io/v1, Kind=ResourceSlice: ${field}`,
  },
};

/** `name` is "pods" or "jobs.batch". */
export const selectableFields = (name: string): SelectableFields => table[name] ?? noFields;
