// The server's metrics, with upstream's names.
import { Counter, Gauge, Histogram, Registry } from "prom-client";
import type { Clock } from "#base";
import type { ParsedRequest } from "./request-info.ts";
import type { StoreMetrics } from "./store-metrics.ts";

const buckets = [0.005, 0.025, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1, 1.25, 1.5, 2, 3, 4, 5, 6, 8, 10, 15, 20, 30, 45, 60];

export class Metrics {
  readonly #clock: Clock;
  readonly #store: StoreMetrics;
  readonly #registry = new Registry();
  readonly #durations: Histogram;
  readonly #watchEvents: Counter;
  // Counted here and handed over when somebody asks: every call of a labelled counter sorts and joins its labels.
  readonly #requests = new Map<string, { readonly labels: Readonly<Record<string, string>>; count: number }>();
  readonly #inflight = { readOnly: 0, mutating: 0 };

  constructor(clock: Clock, objects: () => Iterable<readonly [resource: string, count: number]>, store: StoreMetrics) {
    this.#clock = clock;
    this.#store = store;
    const registers = [this.#registry];
    const counted = this.#requests;
    const inflight = this.#inflight;
    new Counter({
      name: "apiserver_request_total",
      help: "Requests by verb, group, version, resource, scope, component and code",
      labelNames: ["code", "component", "dry_run", "group", "resource", "scope", "subresource", "verb", "version"],
      registers,
      collect() {
        for (const { labels, count } of counted.values()) this.inc(labels, count);
        counted.clear();
      },
    });
    this.#durations = new Histogram({
      name: "apiserver_request_duration_seconds",
      help: "Response latency in seconds",
      labelNames: ["component", "dry_run", "group", "resource", "scope", "subresource", "verb", "version"],
      buckets,
      registers,
    });
    this.#watchEvents = new Counter({
      name: "apiserver_watch_events_total",
      help: "Events sent to watchers",
      labelNames: ["group", "resource", "version"],
      registers,
    });
    new Gauge({
      name: "apiserver_current_inflight_requests",
      help: "Requests being answered",
      labelNames: ["request_kind"],
      registers,
      collect() {
        this.set({ request_kind: "readOnly" }, inflight.readOnly);
        this.set({ request_kind: "mutating" }, inflight.mutating);
      },
    });
    new Gauge({
      name: "apiserver_storage_objects",
      help: "Stored objects by resource",
      labelNames: ["resource"],
      registers,
      collect() {
        for (const [resource, count] of objects()) this.set({ resource }, count);
      },
    });
  }

  /** Returns what to call with the code when the request is over. */
  begin(info: ParsedRequest): (code: number) => void {
    const startedMs = this.#clock.monotonic();
    const kind = info.verb === "get" || info.verb === "list" || info.verb === "watch" ? "readOnly" : "mutating";
    if (info.verb !== "watch") this.#inflight[kind]++;
    return (code) => {
      const scope = !info.isResource
        ? ""
        : info.name !== "" || info.verb === "create"
          ? "resource"
          : info.namespace !== ""
            ? "namespace"
            : "cluster";
      const labels = {
        component: "apiserver",
        dry_run: "",
        group: info.group,
        resource: info.resource,
        scope,
        subresource: info.isResource ? info.subresource : info.path,
        verb: verbLabel(info),
        version: info.version,
      };
      this.#count(code, labels);
      if (info.verb === "watch") return;
      this.#inflight[kind]--;
      this.#durations.observe(labels, (this.#clock.monotonic() - startedMs) / 1_000);
    };
  }

  #count(code: number, labels: Readonly<Record<string, string>>): void {
    const key = `${code} ${Object.values(labels).join("\n")}`;
    const found = this.#requests.get(key);
    if (found === undefined) this.#requests.set(key, { labels: { ...labels, code: String(code) }, count: 1 });
    else found.count++;
  }

  watchEvents(info: Pick<ParsedRequest, "group" | "version" | "resource">, count: number): void {
    this.#watchEvents.inc({ group: info.group, resource: info.resource, version: info.version }, count);
  }

  async text(): Promise<string> {
    return `${await this.#registry.metrics()}\n${await this.#store.text()}`;
  }

  get contentType(): string {
    return this.#registry.contentType;
  }
}

const upper: Readonly<Record<string, string>> = {
  get: "GET",
  list: "LIST",
  watch: "WATCH",
  create: "POST",
  update: "PUT",
  patch: "PATCH",
  delete: "DELETE",
  deletecollection: "DELETECOLLECTION",
};
const verbLabel = (info: ParsedRequest): string => upper[info.verb] ?? info.verb.toUpperCase();
