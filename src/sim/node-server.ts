// What a kubelet's server would answer, for a simulated node: pods and logs; what a simulated container cannot do is refused.
import type { Pod } from "#api";
import type { Clock } from "#base";
import { attemptsOf, LogQueryError, parseLogQuery } from "#kubelet";
import type { SimulatedRuntime } from "./runtime.ts";

export interface NodeRequest {
  readonly method: string;
  /** With the query: "/containerLogs/default/web/app?follow=true". */
  readonly path: string;
  readonly signal: AbortSignal;
}

export interface NodeAnswer {
  readonly code: number;
  readonly headers: Readonly<Record<string, string>>;
  /** Ends when all is said, or when the request is aborted. */
  readonly body: AsyncIterable<Buffer>;
}

/** Answers in this process what others ask over HTTPS. */
export interface SimulatedNodeServer {
  answer(request: NodeRequest): Promise<NodeAnswer>;
}

export interface NodeServerDeps {
  readonly pods: () => readonly Pod[];
  readonly findPod: (namespace: string, name: string) => Pod | undefined;
  /** Undefined while the node has had no pods. */
  readonly runtime: () => SimulatedRuntime | undefined;
  readonly clock: Clock;
}

type LogQuery = ReturnType<typeof parseLogQuery>;

const withoutProcesses: Readonly<Record<string, string>> = {
  exec: "Cannot exec: the containers of this node are simulated",
  run: "Cannot run a command: the containers of this node are simulated",
  attach: "Cannot attach: the containers of this node are simulated",
  portForward: "Cannot forward a port: the containers of this node are simulated",
};

export function simulatedNodeServer(deps: NodeServerDeps): SimulatedNodeServer {
  return {
    answer: async ({ path, signal }) => {
      const url = new URL(path, "http://node");
      const [kind = "", namespace = "", name = "", container = ""] = url.pathname.slice(1).split("/").map(decodeURIComponent);
      if (url.pathname === "/healthz") return text(200, "ok");
      if (url.pathname === "/pods" || url.pathname === "/runningpods")
        return text(200, JSON.stringify({ kind: "PodList", apiVersion: "v1", metadata: {}, items: deps.pods() }), json);
      const refusal = withoutProcesses[kind];
      if (refusal !== undefined) return text(501, refusal);
      if (kind !== "containerLogs") return text(404, "404 page not found");
      const pod = deps.findPod(namespace, name);
      if (pod === undefined) return text(404, `pod "${name}/${namespace}" not found`);
      return await logs(deps, pod, container, url.searchParams, signal);
    },
  };
}

const json = "application/json";
const plain = "text/plain; charset=utf-8";

const text = (code: number, body: string, contentType = plain): NodeAnswer => ({
  code,
  headers: { "content-type": contentType },
  body: (async function* () {
    yield Buffer.from(body, "utf8");
  })(),
});

async function logs(
  deps: NodeServerDeps,
  pod: Pod,
  container: string,
  search: URLSearchParams,
  signal: AbortSignal,
): Promise<NodeAnswer> {
  let query: LogQuery;
  try {
    query = parseLogQuery(search, deps.clock.now());
  } catch (error) {
    if (error instanceof LogQueryError) return text(400, error.message);
    throw error;
  }
  const runtime = deps.runtime();
  const attempts = runtime === undefined ? [] : await attemptsOf(runtime, pod, container);
  const chosen = attempts[query.previous ? 1 : 0];
  if (chosen === undefined || runtime === undefined)
    return query.previous
      ? text(400, `previous terminated container "${container}" in pod "${pod.metadata.name}" not found`)
      : text(200, "");
  return { code: 200, headers: { "content-type": plain }, body: read(runtime, chosen.id, query, deps.clock, signal) };
}

async function* read(
  runtime: SimulatedRuntime,
  id: string,
  query: LogQuery,
  clock: Clock,
  signal: AbortSignal,
): AsyncGenerator<Buffer> {
  let budget = query.limitBytes ?? Number.POSITIVE_INFINITY;
  const before = runtime.log(id)?.lines ?? [];
  let next = query.tailLines === undefined ? 0 : Math.max(0, before.length - query.tailLines);
  for (;;) {
    const log = runtime.log(id);
    if (log === undefined) return;
    const out: string[] = [];
    for (; next < log.lines.length; next++) {
      const { timeMs, text } = log.lines[next] as { timeMs: number; text: string }; // next < length
      if (query.stream === "Stderr" || (query.sinceMs !== undefined && timeMs < query.sinceMs)) continue;
      out.push(`${query.timestamps ? `${new Date(timeMs).toISOString()} ` : ""}${text}\n`);
    }
    const bytes = Buffer.from(out.join(""), "utf8").subarray(0, Math.min(budget, Number.MAX_SAFE_INTEGER));
    budget -= bytes.length;
    if (bytes.length > 0) yield bytes;
    if (!query.follow || !log.isRunning || budget <= 0 || signal.aborted) return;
    await changed(runtime, id, log.nextAtMs, clock, signal);
  }
}

/** Resolves when the next line is due, the container ends, or the reader goes away. */
async function changed(
  runtime: SimulatedRuntime,
  id: string,
  atMs: number | undefined,
  clock: Clock,
  signal: AbortSignal,
): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = atMs === undefined ? undefined : clock.after(Math.max(0, atMs - clock.now()), resolve);
  const events = runtime.onEvent(({ containerId }) => {
    if (containerId === id) resolve();
  });
  const aborted = (): void => resolve();
  signal.addEventListener("abort", aborted);
  try {
    if (!signal.aborted) await promise;
  } finally {
    timer?.cancel();
    events[Symbol.dispose]();
    signal.removeEventListener("abort", aborted);
  }
}
