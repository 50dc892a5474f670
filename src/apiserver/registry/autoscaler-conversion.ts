// HorizontalPodAutoscaler between version 2, in which it is stored, and version 1, which knows a CPU target and keeps the rest in annotations.
import type { ApiObject } from "#api";

// biome-ignore lint/suspicious/noExplicitAny: metrics have five shapes in two versions each; validation knows them
type Fields = Record<string, any>;
type Autoscaler = ApiObject & { readonly spec?: Fields; readonly status?: Fields };

const annotation = (name: string): string => `autoscaling.alpha.kubernetes.io/${name}`;
const roundTrip = ["metrics", "behavior", "conditions", "current-metrics"].map(annotation);

/** An annotation that cannot be read is ignored, as upstream does. */
function parsed(text: string | undefined): unknown {
  try {
    return text === undefined ? undefined : JSON.parse(text);
  } catch {
    return undefined;
  }
}

const listOf = (value: unknown): Fields[] | undefined => (Array.isArray(value) ? (value as Fields[]) : undefined);

/** Without what is undefined. The order of fields is that of Go's types: the annotations are compared as texts. */
const defined = (fields: Fields): Fields =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined && value !== null));

const isCpuUtilization = (metric: Fields, part: "target" | "current"): boolean =>
  metric["type"] === "Resource" &&
  metric["resource"]?.name === "cpu" &&
  (metric["resource"]?.[part]?.averageUtilization ?? null) !== null;

const reference = ({ kind, name, apiVersion }: Fields): Fields => defined({ kind, name, apiVersion });

/** One metric source, or its status, in version 1. `part` is where version 2 keeps the amounts. */
function metricV1(metric: Fields, part: "target" | "current"): Fields {
  const { type } = metric;
  const { object, pods, resource, containerResource, external } = metric;
  const amount = (source: Fields): Fields => source[part] ?? {};
  // what Go's version 1 writes although nothing was given
  const zero = "0";
  const named = (source: Fields): Fields => ({
    name: source["name"],
    [`${part}AverageUtilization`]: amount(source)["averageUtilization"],
    [`${part}AverageValue`]: amount(source)["averageValue"] ?? (part === "current" ? zero : undefined),
  });
  const body: Fields = {};
  if (object !== undefined)
    body["object"] = defined({
      target: reference(object.describedObject ?? {}),
      metricName: object.metric?.name,
      [`${part}Value`]: amount(object)["value"] ?? zero,
      selector: object.metric?.selector,
      averageValue: amount(object)["averageValue"],
    });
  if (pods !== undefined)
    body["pods"] = defined({
      metricName: pods.metric?.name,
      [`${part}AverageValue`]: amount(pods)["averageValue"] ?? zero,
      selector: pods.metric?.selector,
    });
  if (resource !== undefined) body["resource"] = defined(named(resource));
  if (containerResource !== undefined)
    body["containerResource"] = defined({ ...named(containerResource), container: containerResource.container });
  if (external !== undefined)
    body["external"] = defined({
      metricName: external.metric?.name,
      metricSelector: external.metric?.selector,
      [`${part}Value`]: amount(external)["value"] ?? (part === "current" ? zero : undefined),
      [`${part}AverageValue`]: amount(external)["averageValue"],
    });
  return { type, ...body };
}

/** The other way round. */
function metricV2(metric: Fields, part: "target" | "current"): Fields {
  const { type, object, pods, resource, containerResource, external } = metric;
  const amount = (kind: string, amounts: Fields): Fields => ({
    [part]: part === "target" ? { type: kind, ...defined(amounts) } : defined(amounts),
  });
  const named = (source: Fields): Fields => {
    const averageUtilization = source[`${part}AverageUtilization`];
    const kind = (averageUtilization ?? null) === null ? "AverageValue" : "Utilization";
    return { name: source["name"], ...amount(kind, { averageUtilization, averageValue: source[`${part}AverageValue`] }) };
  };
  const body: Fields = {};
  if (object !== undefined) {
    const averageValue = object.averageValue;
    const amounts = averageValue === undefined ? { value: object[`${part}Value`] } : { averageValue };
    body["object"] = {
      describedObject: object.target,
      metric: defined({ name: object.metricName, selector: object.selector }),
      ...amount(averageValue === undefined ? "Value" : "AverageValue", amounts),
    };
  }
  if (pods !== undefined)
    body["pods"] = {
      metric: defined({ name: pods.metricName, selector: pods.selector }),
      ...amount("AverageValue", { averageValue: pods[`${part}AverageValue`] }),
    };
  if (resource !== undefined) body["resource"] = named(resource);
  if (containerResource !== undefined)
    body["containerResource"] = { ...named(containerResource), container: containerResource.container };
  if (external !== undefined) {
    const [value, averageValue] = [external[`${part}Value`], external[`${part}AverageValue`]];
    body["external"] = {
      metric: defined({ name: external.metricName, selector: external.metricSelector }),
      ...amount(value === undefined ? "AverageValue" : "Value", { value, averageValue }),
    };
  }
  return { type, ...body };
}

// Behavior travels as Go writes its internal type: capital names, absent fields as null.

const rulesToText = (rules: Fields | undefined): Fields | null =>
  rules === undefined
    ? null
    : {
        StabilizationWindowSeconds: rules["stabilizationWindowSeconds"] ?? null,
        SelectPolicy: rules["selectPolicy"] ?? null,
        Policies:
          listOf(rules["policies"])?.map(({ type, value, periodSeconds }) => ({
            Type: type,
            Value: value,
            PeriodSeconds: periodSeconds,
          })) ?? null,
        Tolerance: rules["tolerance"] ?? null,
      };

const rulesFromText = (rules: Fields | null | undefined): Fields | undefined =>
  (rules ?? null) === null
    ? undefined
    : defined({
        stabilizationWindowSeconds: rules?.["StabilizationWindowSeconds"],
        selectPolicy: rules?.["SelectPolicy"],
        policies: listOf(rules?.["Policies"])?.map(({ Type, Value, PeriodSeconds }) => ({
          type: Type,
          value: Value,
          periodSeconds: PeriodSeconds,
        })),
        tolerance: rules?.["Tolerance"],
      });

function behaviorFrom(text: string | undefined): Fields | undefined {
  const given = parsed(text);
  if (typeof given !== "object" || given === null) return undefined;
  const { ScaleUp, ScaleDown } = given as Fields;
  const behavior = defined({ scaleUp: rulesFromText(ScaleUp), scaleDown: rulesFromText(ScaleDown) });
  return Object.keys(behavior).length === 0 ? undefined : behavior;
}

const conditionInOrder = ({ type, status, lastTransitionTime, reason, message }: Fields): Fields => ({
  type,
  status,
  lastTransitionTime: lastTransitionTime ?? null,
  ...defined({ reason, message }),
});

function withAnnotations(metadata: ApiObject["metadata"], annotations: Record<string, string>): ApiObject["metadata"] {
  const { annotations: _before, ...rest } = metadata;
  return Object.keys(annotations).length === 0 ? rest : { ...rest, annotations };
}

const without = (annotations: Readonly<Record<string, string>> | undefined): Record<string, string> =>
  Object.fromEntries(Object.entries(annotations ?? {}).filter(([name]) => !roundTrip.includes(name)));

export const autoscalers = {
  toStored(object: ApiObject): ApiObject {
    const { spec = {}, status, metadata, ...rest } = object as Autoscaler;
    const { targetCPUUtilizationPercentage: wanted, ...kept } = spec;
    const texts = metadata.annotations ?? {};
    const cpu = { type: "Resource", resource: { name: "cpu", target: { type: "Utilization", averageUtilization: wanted } } };
    const metrics = [
      ...(listOf(parsed(texts[annotation("metrics")])) ?? []).map((metric) => metricV2(metric, "target")),
      ...((wanted ?? null) === null ? [] : [cpu]),
    ];
    const behavior = behaviorFrom(texts[annotation("behavior")]);
    return {
      ...rest,
      apiVersion: "autoscaling/v2",
      metadata: withAnnotations(metadata, without(texts)),
      spec: { ...kept, ...(metrics.length === 0 ? {} : { metrics }), ...(behavior === undefined ? {} : { behavior }) },
      ...(status === undefined ? {} : { status: statusToStored(status, texts) }),
    } as ApiObject;
  },

  toServed(object: ApiObject): ApiObject {
    const { spec = {}, status: reported, metadata, ...rest } = object as Autoscaler;
    const status: Fields = reported ?? {};
    const { metrics: given, behavior, ...kept } = spec;
    const { currentMetrics: current, conditions, currentReplicas = 0, ...statusV1 } = status;
    // always written in version 2, and null when there are none
    const [metrics, currentMetrics] = [listOf(given) ?? [], listOf(current) ?? []];
    const others = metrics.filter((metric) => !isCpuUtilization(metric, "target"));
    const target = metrics.find((metric) => isCpuUtilization(metric, "target"))?.["resource"].target.averageUtilization;
    const seen = currentMetrics.find((metric) => isCpuUtilization(metric, "current"))?.["resource"].current.averageUtilization;
    const annotations = without(metadata.annotations);
    const keep = (name: string, value: unknown): void => {
      annotations[annotation(name)] = JSON.stringify(value);
    };
    if (others.length > 0)
      keep(
        "metrics",
        others.map((metric) => metricV1(metric, "target")),
      );
    // the CPU's status too: version 1 has no place for its raw value
    if (currentMetrics.length > 0)
      keep(
        "current-metrics",
        currentMetrics.map((metric) => metricV1(metric, "current")),
      );
    if (behavior !== undefined && behavior !== null)
      keep("behavior", { ScaleUp: rulesToText(behavior.scaleUp), ScaleDown: rulesToText(behavior.scaleDown) });
    if ((listOf(conditions) ?? []).length > 0) keep("conditions", (listOf(conditions) ?? []).map(conditionInOrder));
    return {
      ...rest,
      apiVersion: "autoscaling/v1",
      metadata: withAnnotations(metadata, annotations),
      spec: { ...kept, ...defined({ targetCPUUtilizationPercentage: target }) },
      ...(reported === undefined
        ? {}
        : { status: { ...statusV1, currentReplicas, ...defined({ currentCPUUtilizationPercentage: seen }) } }),
    } as ApiObject;
  },
};

function statusToStored(status: Fields, texts: Readonly<Record<string, string>>): Fields {
  const { currentCPUUtilizationPercentage: seen, currentReplicas, ...kept } = status;
  const known = listOf(parsed(texts[annotation("current-metrics")]))?.map((metric) => metricV2(metric, "current"));
  const cpu = { type: "Resource", resource: { name: "cpu", current: { averageUtilization: seen } } };
  const currentMetrics = known ?? ((seen ?? null) === null ? null : [cpu]);
  return {
    ...kept,
    ...((currentReplicas ?? 0) === 0 ? {} : { currentReplicas }),
    currentMetrics,
    ...defined({ conditions: listOf(parsed(texts[annotation("conditions")])) }),
  };
}
