// pods/log, exec, attach, port-forward and the proxies: checked here, answered by the kubelet or by the program behind the address.
import { badRequest, type FieldError, forbiddenField, invalid, invalidValue, notFound, type Pod, type Stored } from "#api";
import type { Answer } from "../answer.ts";
import { isTrue, type Query } from "../query.ts";
import { parseInt64 } from "../registry/options.ts";
import { notAllowed, type VerbRequest } from "../registry/verbs.ts";
import { type Backend, kubeletBackend, type Nodes, podBackend, serviceBackend, splitTarget } from "./backend.ts";

export interface ConnectDeps extends Nodes {
  /** A number in [0, below), to choose among endpoints. */
  readonly pick: (below: number) => number;
}

export function podOf(request: VerbRequest): Stored<Pod> {
  const entry = request.resource.cache.get(`${request.resource.cache.prefix}${request.namespace}/${request.name}`);
  if (entry === undefined) throw notFound(request.resource.type, request.name);
  return entry.parse() as Stored<Pod>;
}

const containerNames = (pod: Pod): { readonly init: string[]; readonly normal: string[]; readonly ephemeral: string[] } => ({
  init: (pod.spec?.initContainers ?? []).map((container) => container.name),
  normal: (pod.spec?.containers ?? []).map((container) => container.name),
  ephemeral: (pod.spec?.ephemeralContainers ?? []).map((container) => container.name),
});

/** The container asked for, or the one that is meant when none is named. */
function containerOf(pod: Stored<Pod>, wanted: string): string {
  const { init, normal, ephemeral } = containerNames(pod);
  if (wanted !== "") {
    if ([...init, ...normal, ...ephemeral].includes(wanted)) return wanted;
    throw badRequest(`container ${wanted} is not valid for pod ${pod.metadata.name}`);
  }
  if (normal.length === 1 && init.length === 0 && ephemeral.length === 0) return normal[0] as string;
  const preferred = pod.metadata.annotations?.["kubectl.kubernetes.io/default-container"];
  if (preferred !== undefined && normal.includes(preferred)) return preferred;
  if (normal.length === 1 && init.length === 0) return normal[0] as string;
  const list = (names: readonly string[]): string => names.join(" ");
  throw badRequest(
    `a container name must be specified for pod ${pod.metadata.name}, choose one of: [${list([...init, ...normal, ...ephemeral])}]`,
  );
}

function logErrors(query: Query): FieldError[] {
  const errors: FieldError[] = [];
  const number = (name: string): number | undefined => (query.has(name) ? parseInt64(query.first(name) as string) : undefined);
  const [tailLines, sinceSeconds, limitBytes] = [number("tailLines"), number("sinceSeconds"), number("limitBytes")];
  if (tailLines !== undefined && tailLines < 0)
    errors.push(invalidValue("tailLines", tailLines, "must be greater than or equal to 0"));
  if (limitBytes !== undefined && limitBytes < 1) errors.push(invalidValue("limitBytes", limitBytes, "must be greater than 0"));
  if (sinceSeconds !== undefined && query.has("sinceTime"))
    errors.push(forbiddenField("[]", "at most one of `sinceTime` or `sinceSeconds` may be specified"));
  else if (sinceSeconds !== undefined && sinceSeconds < 1)
    errors.push(invalidValue("sinceSeconds", sinceSeconds, "must be greater than 0"));
  const stream = query.first("stream");
  if (stream !== undefined && stream !== "All") errors.push(forbiddenField("stream", "may not be specified"));
  return errors;
}

const passed = (query: Query, names: readonly string[]): string => {
  const search = new URLSearchParams();
  for (const name of names) for (const value of query.all(name)) search.append(name, value);
  const text = search.toString();
  return text === "" ? "" : `?${text}`;
};

export function podLog(deps: ConnectDeps, request: VerbRequest, method: string): Answer {
  if (method !== "GET") throw notAllowed();
  const pod = podOf(request);
  const errors = logErrors(request.query);
  if (errors.length > 0) throw invalid({ group: "", kind: "PodLogOptions" }, request.name, errors);
  const container = containerOf(pod, request.query.first("container") ?? "");
  const nodeName = pod.spec?.nodeName ?? "";
  if (nodeName === "") return { kind: "raw", code: 204, contentType: "", body: "" };
  const flags = ["follow", "previous", "timestamps"].filter((name) => isTrue(request.query, name)).map((name) => `${name}=true`);
  const rest = passed(request.query, ["sinceSeconds", "sinceTime", "tailLines", "limitBytes"]).slice(1);
  const query = [...flags, ...(rest === "" ? [] : [rest])].join("&");
  const path = `/containerLogs/${request.namespace}/${request.name}/${container}${query === "" ? "" : `?${query}`}`;
  return {
    kind: "forward",
    backend: kubeletBackend(deps, nodeName),
    method: "GET",
    path,
    upgradeOnly: false,
    contentType: "text/plain",
    refused: { resource: "pods/log", name: request.name },
  };
}

/** exec and attach: flags become the kubelet's own names. */
export function podExec(deps: ConnectDeps, request: VerbRequest, method: string, what: "exec" | "attach"): Answer {
  if (method !== "GET" && method !== "POST") throw notAllowed();
  const pod = podOf(request);
  const { query } = request;
  const container = containerOf(pod, query.first("container") ?? "");
  const nodeName = pod.spec?.nodeName ?? "";
  if (nodeName === "") throw badRequest(`pod ${request.name} does not have a host assigned`);
  const search = new URLSearchParams();
  const flag = (name: string, wire: string, byDefault = false): void => {
    if (query.has(name) ? isTrue(query, name) : byDefault) search.append(wire, "1");
  };
  flag("stdin", "input");
  flag("stdout", "output", what === "attach");
  flag("stderr", "error", what === "attach");
  flag("tty", "tty");
  for (const part of query.all("command")) search.append("command", part);
  return {
    kind: "forward",
    backend: kubeletBackend(deps, nodeName),
    method,
    path: `/${what}/${request.namespace}/${request.name}/${container}?${search}`,
    upgradeOnly: true,
  };
}

export function podPortForward(deps: ConnectDeps, request: VerbRequest, method: string): Answer {
  if (method !== "GET" && method !== "POST") throw notAllowed();
  const pod = podOf(request);
  const nodeName = pod.spec?.nodeName ?? "";
  if (nodeName === "") throw badRequest(`pod ${request.name} does not have a host assigned`);
  const path = `/portForward/${request.namespace}/${request.name}${passed(request.query, ["ports"]).replace("ports=", "port=")}`;
  return { kind: "forward", backend: kubeletBackend(deps, nodeName), method, path, upgradeOnly: true };
}

/** pods/proxy, services/proxy, nodes/proxy: method, body and the rest of the path go on as they are. */
export function proxy(deps: ConnectDeps, request: VerbRequest, method: string, rest: readonly string[]): Answer {
  const { resource, namespace, name, uri } = request;
  const mark = uri.indexOf("?");
  const path = `/${rest.join("/")}${mark < 0 ? "" : uri.slice(mark)}`;
  return {
    kind: "forward",
    backend: proxyBackend(deps, resource.type.plural, namespace, name),
    method,
    path,
    upgradeOnly: false,
  };
}

function proxyBackend(deps: ConnectDeps, plural: string, namespace: string, name: string): Backend {
  if (plural === "pods") return podBackend(deps.reader, namespace, name);
  if (plural === "services") return serviceBackend(deps.reader, namespace, name, deps.pick);
  const target = splitTarget(name, "node");
  try {
    const backend = kubeletBackend(deps, target.name);
    return target.port === "" || target.port === String(backend.port)
      ? backend
      : { ...backend, port: Number(target.port), kubelet: false, scheme: target.scheme };
  } catch (error) {
    if ((error as { reason?: string }).reason === "NotFound") throw notFound(resource(plural), target.name);
    throw error;
  }
}

const resource = (plural: string): { group: string; plural: string } => ({ group: "", plural });
