// Answers one question from the cluster's view: pure, so that a table can test the specification.
import type { Service } from "#api";
import { type ClusterName, parseClusterName, parseReverseName } from "./names.ts";
import type { ClusterView, EndpointAddress } from "./view.ts";

export type RecordData =
  | { readonly type: "A" | "AAAA" | "CNAME" | "PTR" | "TXT"; readonly name: string; readonly ttl: number; readonly data: string }
  | {
      readonly type: "SRV";
      readonly name: string;
      readonly ttl: number;
      readonly data: { readonly priority: number; readonly weight: number; readonly port: number; readonly target: string };
    };

export interface Answer {
  readonly code: "NOERROR" | "NXDOMAIN";
  readonly answers: readonly RecordData[];
  readonly additionals: readonly RecordData[];
  /** A name outside the cluster whose addresses the asker will want too. */
  readonly follow?: string;
}

export interface AnswerOptions {
  readonly zone: string;
  readonly ttlSeconds: number;
}

const nothing: Answer = { code: "NOERROR", answers: [], additionals: [] };
const absent: Answer = { code: "NXDOMAIN", answers: [], additionals: [] };
const found = (answers: readonly RecordData[], additionals: readonly RecordData[] = []): Answer => ({
  code: "NOERROR",
  answers,
  additionals,
});

/** Undefined: not ours, to be forwarded. */
export function answer(
  question: { readonly name: string; readonly type: string },
  view: ClusterView,
  options: AnswerOptions,
): Answer | undefined {
  const reverse = question.type === "PTR" ? parseReverseName(question.name) : undefined;
  if (reverse !== undefined) {
    const name = view.nameOf(reverse);
    return name === undefined
      ? undefined
      : found([{ type: "PTR", name: question.name, ttl: options.ttlSeconds, data: `${name}.${options.zone}` }]);
  }
  const name = parseClusterName(question.name, options.zone);
  return name === undefined ? undefined : answerName(name, question, view, options);
}

function answerName(
  name: ClusterName,
  question: { name: string; type: string },
  view: ClusterView,
  options: AnswerOptions,
): Answer {
  switch (name.kind) {
    case "version":
      return question.type === "TXT"
        ? found([{ type: "TXT", name: question.name, ttl: options.ttlSeconds, data: "1.1.0" }])
        : nothing;
    case "zone":
      return nothing;
    case "namespace":
      return name.namespace === undefined || view.namespaceExists(name.namespace) ? nothing : absent;
    case "pod":
      return !view.namespaceExists(name.namespace) ? absent : addresses(question, [name.address], options);
    case "unknown":
      return absent;
    default:
      return answerService(name, question, view, options);
  }
}

type ServiceName = Extract<ClusterName, { service: string }>;

function answerService(
  name: ServiceName,
  question: { name: string; type: string },
  view: ClusterView,
  options: AnswerOptions,
): Answer {
  const service = view.service(name.namespace, name.service);
  if (service === undefined) return absent;
  if (service.spec.type === "ExternalName") {
    if (name.kind !== "service") return absent;
    const target = service.spec.externalName ?? "";
    return { ...found([{ type: "CNAME", name: question.name, ttl: options.ttlSeconds, data: target }]), follow: target };
  }
  const headless = isHeadless(service);
  if (name.kind === "port") return answerPort(name, service, headless, question, view, options);
  const ready = headless ? view.endpoints(name.namespace, name.service) : [];
  if (name.kind === "endpoint") {
    const named = ready.filter((endpoint) => endpoint.host === name.host);
    return endpointAddresses(question, named, options);
  }
  if (question.type === "SRV") return allPorts(name, service, headless, question, view, options);
  if (!headless) return addresses(question, service.spec.clusterIPs ?? [], options);
  return endpointAddresses(question, ready, options);
}

const isHeadless = (service: Service): boolean =>
  service.spec.clusterIP === "None" || service.spec.clusterIP === undefined || service.spec.clusterIP === "";

function addresses(question: { name: string; type: string }, all: readonly string[], options: AnswerOptions): Answer {
  const wanted = [...new Set(all)].filter((address) => address.includes(":") === (question.type === "AAAA"));
  if (question.type !== "A" && question.type !== "AAAA") return nothing;
  return found(
    wanted.map((data) => ({ type: question.type as "A" | "AAAA", name: question.name, ttl: options.ttlSeconds, data })),
  );
}

/** A headless service without endpoints, and an endpoint that is not one of them, have no name. */
function endpointAddresses(
  question: { name: string; type: string },
  endpoints: readonly EndpointAddress[],
  options: AnswerOptions,
): Answer {
  if (endpoints.length === 0) return absent;
  return addresses(
    question,
    endpoints.map((endpoint) => endpoint.address),
    options,
  );
}

interface Port {
  readonly name: string;
  readonly protocol: string;
  readonly port: number;
}

function answerPort(
  name: Extract<ClusterName, { kind: "port" }>,
  service: Service,
  headless: boolean,
  question: { name: string; type: string },
  view: ClusterView,
  options: AnswerOptions,
): Answer {
  const matches = (port: Port): boolean => port.name === name.port && port.protocol === name.protocol;
  const records = serviceRecords(name, service, headless, question, view, options, matches);
  if (records.answers.length === 0) return absent;
  return question.type === "SRV" ? records : nothing;
}

function allPorts(
  name: ServiceName,
  service: Service,
  headless: boolean,
  question: { name: string; type: string },
  view: ClusterView,
  options: AnswerOptions,
): Answer {
  return serviceRecords(name, service, headless, question, view, options, () => true);
}

function serviceRecords(
  name: ServiceName,
  service: Service,
  headless: boolean,
  question: { name: string; type: string },
  view: ClusterView,
  options: AnswerOptions,
  matches: (port: Port) => boolean,
): Answer {
  const base = `${name.service}.${name.namespace}.svc.${options.zone}`;
  const ttl = options.ttlSeconds;
  const record = (port: number, target: string): RecordData => ({
    type: "SRV",
    name: question.name,
    ttl,
    data: { priority: 0, weight: 100, port, target },
  });
  const glue = (target: string, address: string): RecordData => ({
    type: address.includes(":") ? "AAAA" : "A",
    name: target,
    ttl,
    data: address,
  });
  if (!headless) {
    const ports = (service.spec.ports ?? [])
      .map((port) => ({ name: port.name ?? "", protocol: (port.protocol ?? "TCP").toLowerCase(), port: port.port }))
      .filter(matches);
    return found(
      ports.map((port) => record(port.port, base)),
      ports.length === 0 ? [] : (service.spec.clusterIPs ?? []).map((address) => glue(base, address)),
    );
  }
  const hits = view
    .endpoints(name.namespace, name.service)
    .flatMap((endpoint: EndpointAddress) => endpoint.ports.filter(matches).map((port) => ({ port, endpoint })));
  return found(
    hits.map(({ port, endpoint }) => record(port.port, `${endpoint.host}.${base}`)),
    hits.map(({ endpoint }) => glue(`${endpoint.host}.${base}`, endpoint.address)),
  );
}
