// The two built-in kinds that are served in two versions and stored in one: Events (stored as core v1) and HorizontalPodAutoscalers (stored as v2).
import type { ApiObject, ResourceType } from "#api";

interface Conversion {
  readonly toStored: (object: ApiObject) => ApiObject;
  readonly toServed: (object: ApiObject) => ApiObject;
}

type Fields = Record<string, unknown>;

function renamed(object: ApiObject, names: Readonly<Record<string, string>>, apiVersion: string): ApiObject {
  const result: Fields = {};
  for (const [key, value] of Object.entries(object)) result[names[key] ?? key] = value;
  return { ...result, apiVersion, metadata: object.metadata } as ApiObject;
}

export const coreToEventFields: Readonly<Record<string, string>> = {
  involvedObject: "regarding",
  message: "note",
  reportingComponent: "reportingController",
  source: "deprecatedSource",
  firstTimestamp: "deprecatedFirstTimestamp",
  lastTimestamp: "deprecatedLastTimestamp",
  count: "deprecatedCount",
};
const eventsToCore = Object.fromEntries(Object.entries(coreToEventFields).map(([core, newer]) => [newer, core]));

const events: Conversion = {
  toStored: (object) => renamed(object, eventsToCore, "v1"),
  toServed: (object) => renamed(object, coreToEventFields, "events.k8s.io/v1"),
};

const annotation = (name: string): string => `autoscaling.alpha.kubernetes.io/${name}`;

interface Metric {
  readonly type?: string;
  readonly resource?: {
    readonly name?: string;
    readonly target?: { readonly type?: string; readonly averageUtilization?: number };
    readonly current?: { readonly averageUtilization?: number };
  };
}
const isCpu = (metric: Metric): boolean => metric.type === "Resource" && metric.resource?.name === "cpu";
const parsed = (text: string | undefined): unknown => {
  try {
    return text === undefined ? undefined : JSON.parse(text);
  } catch {
    return undefined;
  }
};

/** v1 knows only a CPU target; everything else travels in annotations, as upstream does. */
const autoscalers: Conversion = {
  toStored: (object) => {
    const { spec = {}, status, metadata, ...rest } = object as ApiObject & { spec?: Fields; status?: Fields };
    const { targetCPUUtilizationPercentage, ...kept } = spec;
    const annotations = { ...metadata.annotations };
    const others = (parsed(annotations[annotation("metrics")]) ?? []) as Metric[];
    const behavior = parsed(annotations[annotation("behavior")]);
    const conditions = parsed(annotations[annotation("conditions")]);
    const current = (parsed(annotations[annotation("current-metrics")]) ?? []) as Metric[];
    for (const name of ["metrics", "behavior", "conditions", "current-metrics"]) delete annotations[annotation(name)];
    const metrics = [
      ...others,
      ...(targetCPUUtilizationPercentage === undefined
        ? []
        : [
            {
              type: "Resource",
              resource: { name: "cpu", target: { type: "Utilization", averageUtilization: targetCPUUtilizationPercentage } },
            },
          ]),
    ];
    const { annotations: _dropped, ...meta } = metadata;
    const { currentCPUUtilizationPercentage, ...status2 } = status ?? {};
    const currentMetrics = [
      ...current,
      ...(currentCPUUtilizationPercentage === undefined
        ? []
        : [{ type: "Resource", resource: { name: "cpu", current: { averageUtilization: currentCPUUtilizationPercentage } } }]),
    ];
    return {
      ...rest,
      apiVersion: "autoscaling/v2",
      metadata: Object.keys(annotations).length === 0 ? meta : { ...meta, annotations },
      spec: { ...kept, ...(metrics.length === 0 ? {} : { metrics }), ...(behavior === undefined ? {} : { behavior }) },
      ...(status === undefined
        ? {}
        : {
            status: {
              ...status2,
              ...(currentMetrics.length === 0 ? {} : { currentMetrics }),
              ...(conditions === undefined ? {} : { conditions }),
            },
          }),
    } as ApiObject;
  },
  toServed: (object) => {
    const { spec = {}, status, metadata, ...rest } = object as ApiObject & { spec?: Fields; status?: Fields };
    const { metrics: given, behavior, ...kept } = spec as { metrics?: Metric[] | null; behavior?: unknown };
    const {
      currentMetrics: current,
      conditions,
      ...status1
    } = (status ?? {}) as { currentMetrics?: Metric[] | null; conditions?: unknown };
    // always written, and null when there are none
    const [metrics, currentMetrics] = [given ?? [], current ?? []];
    const cpu = metrics.find((metric) => isCpu(metric) && metric.resource?.target?.type === "Utilization");
    const others = metrics.filter((metric) => metric !== cpu);
    const currentCpu = currentMetrics.find(
      (metric) => isCpu(metric) && metric.resource?.current?.averageUtilization !== undefined,
    );
    const otherCurrent = currentMetrics.filter((metric) => metric !== currentCpu);
    const annotations = {
      ...metadata.annotations,
      ...(others.length === 0 ? {} : { [annotation("metrics")]: JSON.stringify(others) }),
      ...(behavior === undefined ? {} : { [annotation("behavior")]: JSON.stringify(behavior) }),
      ...(conditions === undefined ? {} : { [annotation("conditions")]: JSON.stringify(conditions) }),
      ...(otherCurrent.length === 0 ? {} : { [annotation("current-metrics")]: JSON.stringify(otherCurrent) }),
    };
    return {
      ...rest,
      apiVersion: "autoscaling/v1",
      metadata: Object.keys(annotations).length === 0 ? metadata : { ...metadata, annotations },
      spec: {
        ...kept,
        ...(cpu === undefined ? {} : { targetCPUUtilizationPercentage: cpu.resource?.target?.averageUtilization }),
      },
      ...(status === undefined
        ? {}
        : {
            status: {
              ...status1,
              ...(currentCpu === undefined
                ? {}
                : { currentCPUUtilizationPercentage: currentCpu.resource?.current?.averageUtilization }),
            },
          }),
    } as ApiObject;
  },
};

/** Undefined when the kind is stored as it is served. */
export function conversionOf(
  type: ResourceType,
): { readonly stored: { readonly group: string; readonly version: string }; readonly conversion: Conversion } | undefined {
  if (type.kind === "Event" && type.group === "events.k8s.io")
    return { stored: { group: "", version: "v1" }, conversion: events };
  if (type.kind === "HorizontalPodAutoscaler" && type.version === "v1")
    return { stored: { group: "autoscaling", version: "v2" }, conversion: autoscalers };
  return undefined;
}
