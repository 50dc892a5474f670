// LimitRanger: defaults for containers' resources, and bounds for containers, pods and claims.
import {
  type Amounts,
  type Container,
  canonicalQuantity,
  compareQuantities,
  formatQuantity,
  type LimitRange,
  type LimitRangeItem,
  limitRanges,
  type ParsedQuantity,
  type PersistentVolumeClaim,
  type Pod,
  parseAmounts,
  parseQuantity,
  persistentVolumeClaims,
  podAmounts,
  pods,
  type Quantity,
  type Stored,
  signOf,
} from "#api";
import type { AdmissionContext, AdmissionPlugin } from "../../contract.ts";
import { byNamespace } from "./by-namespace.ts";
import type { AdmissionDeps } from "./plugins.ts";
import { isResource, joined, refuse } from "./support.ts";

type Quantities = Readonly<Record<string, Quantity>>;

export function limitRanger({ reader }: AdmissionDeps): AdmissionPlugin & Disposable {
  const ranges = byNamespace(reader, limitRanges);
  return {
    name: "LimitRanger",
    mutate: (object, context) => {
      if (context.operation !== "CREATE" || !isResource(context, pods)) return object;
      return ranges.of(context.namespace).reduce((pod, range) => withDefaults(pod, range), object as Pod); // the resource's objects
    },
    validate: (object, context) => {
      const found = context.subresource === "" ? ranges.of(context.namespace) : [];
      if (found.length === 0 || object === undefined || object.metadata.deletionTimestamp !== undefined) return;
      for (const range of found) {
        const errors = (range.spec?.limits ?? []).flatMap((limit) => violations(limit, object, context));
        if (errors.length > 0) throw refuse(context, object, joined(errors));
      }
    },
    [Symbol.dispose]: () => ranges[Symbol.dispose](),
  };
}

function violations(limit: LimitRangeItem, object: object, context: AdmissionContext): readonly string[] {
  if (isResource(context, pods) && context.operation === "CREATE") {
    const spec = (object as Pod).spec; // the resource's objects
    if (spec === undefined) return [];
    if (limit.type === "Container") {
      const containers = [...spec.containers, ...(spec.initContainers ?? [])];
      return containers.flatMap(({ resources }) =>
        bounds(limit, parseAmounts(resources?.requests), parseAmounts(resources?.limits)),
      );
    }
    return limit.type === "Pod" ? bounds(limit, podAmounts(spec, "requests"), podAmounts(spec, "limits")) : [];
  }
  if (isResource(context, persistentVolumeClaims) && limit.type === "PersistentVolumeClaim" && context.operation !== "DELETE") {
    const requests = parseAmounts((object as PersistentVolumeClaim).spec?.resources?.requests); // the resource's objects
    return [
      ...eachOf(limit.min, (name, bound) => below(limit.type, name, bound, requests, undefined)),
      ...eachOf(limit.max, (name, bound) => above(limit.type, name, bound, requests, undefined)),
    ];
  }
  return [];
}

const bounds = (limit: LimitRangeItem, requests: Amounts, limits: Amounts): readonly string[] => [
  ...eachOf(limit.min, (name, bound) => below(limit.type, name, bound, requests, limits)),
  ...eachOf(limit.max, (name, bound) => above(limit.type, name, bound, requests, limits)),
  ...eachOf(limit.maxLimitRequestRatio, (name, bound) => ratio(limit.type, name, bound, requests, limits)),
];

const eachOf = (list: Quantities | undefined, check: (name: string, bound: Quantity) => string | undefined): readonly string[] =>
  Object.entries(list ?? {}).flatMap(([name, bound]) => check(name, bound) ?? []);

/** `limits` undefined: the kind has requests only. */
function below(type: string, name: string, bound: Quantity, requests: Amounts, limits: Amounts | undefined): string | undefined {
  const head = `minimum ${name} usage per ${type} is ${canonicalQuantity(bound)}`;
  const [least, request, limit] = [parseQuantity(bound), requests.get(name), limits?.get(name)];
  if (request === undefined) return `${head}.  No request is specified`;
  if (compareQuantities(request, least) < 0) return `${head}, but request is ${formatQuantity(request)}`;
  if (limit !== undefined && compareQuantities(limit, least) < 0) return `${head}, but limit is ${formatQuantity(limit)}`;
  return undefined;
}

function above(type: string, name: string, bound: Quantity, requests: Amounts, limits: Amounts | undefined): string | undefined {
  const head = `maximum ${name} usage per ${type} is ${canonicalQuantity(bound)}`;
  const [most, request, limit] = [parseQuantity(bound), requests.get(name), limits?.get(name)];
  if (limits === undefined && request === undefined) return `${head}.  No request is specified`;
  if (limits !== undefined && limit === undefined) return `${head}.  No limit is specified`;
  if (limit !== undefined && compareQuantities(limit, most) > 0) return `${head}, but limit is ${formatQuantity(limit)}`;
  if (request !== undefined && compareQuantities(request, most) > 0) return `${head}, but request is ${formatQuantity(request)}`;
  return undefined;
}

function ratio(type: string, name: string, bound: Quantity, requests: Amounts, limits: Amounts): string | undefined {
  const head = `${name} max limit to request ratio per ${type} is ${canonicalQuantity(bound)}`;
  const [request, limit] = [requests.get(name), limits.get(name)];
  if (request === undefined || signOf(request) === 0) return `${head}, but no request is specified or request is 0`;
  if (limit === undefined || signOf(limit) === 0) return `${head}, but no limit is specified or limit is 0`;
  const observed = asNumber(limit) / asNumber(request);
  return observed > asNumber(parseQuantity(bound)) ? `${head}, but provided ratio is ${observed.toFixed(6)}` : undefined;
}

const asNumber = ({ mantissa, exponent }: ParsedQuantity): number => Number(mantissa) * 10 ** exponent;

function withDefaults(pod: Pod, range: Stored<LimitRange>): Pod {
  if (pod.spec === undefined) return pod;
  const items = (range.spec?.limits ?? []).filter((limit) => limit.type === "Container");
  const requests: Quantities = Object.assign({}, ...items.map((limit) => limit.defaultRequest ?? {}));
  const limits: Quantities = Object.assign({}, ...items.map((limit) => limit.default ?? {}));
  if (Object.keys(requests).length === 0 && Object.keys(limits).length === 0) return pod;
  const said: string[] = [];
  const filled = (container: Container, kind: string): Container => {
    const resources = { ...container.resources };
    for (const [which, defaults] of [
      ["requests", requests],
      ["limits", limits],
    ] as const) {
      const missing = Object.keys(defaults)
        .filter((name) => resources[which]?.[name] === undefined)
        .sort();
      if (missing.length === 0) continue;
      resources[which] = {
        ...resources[which],
        ...Object.fromEntries(missing.map((name) => [name, defaults[name] as Quantity])),
      }; // a key of defaults
      said.push(`${missing.join(", ")} ${which === "requests" ? "request" : "limit"} for ${kind} ${container.name}`);
    }
    return { ...container, resources };
  };
  const spec = {
    ...pod.spec,
    containers: (pod.spec.containers as readonly Container[] | null)?.map((container) => filled(container, "container")) ?? [],
  };
  if (pod.spec.initContainers !== undefined)
    spec.initContainers = pod.spec.initContainers.map((container) => filled(container, "init container"));
  if (said.length === 0) return pod;
  const annotations = { ...pod.metadata.annotations, "kubernetes.io/limit-ranger": `LimitRanger plugin set: ${said.join("; ")}` };
  return { ...pod, metadata: { ...pod.metadata, annotations }, spec };
}
