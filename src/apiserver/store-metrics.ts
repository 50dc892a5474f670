// The store on the metrics page: how long requests to it take, by resource, under upstream's names; and what it tells of itself.
import { Counter, Histogram, Registry } from "prom-client";
import type { Clock } from "#base";
import type { Key, Revision, Store, StoreMeasure, Transaction, WatchBatch } from "#store";

const buckets = [0.005, 0.025, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1, 1.25, 1.5, 2, 3, 4, 5, 6, 8, 10, 15, 20, 30, 45, 60];
const labelNames = ["operation", "group", "resource"];

/** "apps" and "deployments" of a key; both "" for keys of nobody. */
export type ResourceOfKey = (key: Key) => { readonly group: string; readonly resource: string };

export class StoreMetrics {
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #resourceOf: ResourceOfKey;
  readonly #registry = new Registry();
  readonly #durations: Histogram;
  readonly #requests: Counter;
  readonly #errors: Counter;
  readonly #events: Counter;

  constructor(store: Store, clock: Clock, resourceOf: ResourceOfKey) {
    this.#store = store;
    this.#clock = clock;
    this.#resourceOf = resourceOf;
    const registers = [this.#registry];
    this.#durations = new Histogram({
      name: "etcd_request_duration_seconds",
      help: "Etcd request latency in seconds for each operation and object type.",
      labelNames,
      buckets,
      registers,
    });
    this.#requests = new Counter({
      name: "etcd_requests_total",
      help: "Etcd request counts for each operation and object type.",
      labelNames,
      registers,
    });
    this.#errors = new Counter({
      name: "etcd_request_errors_total",
      help: "Etcd failed request counts for each operation and object type.",
      labelNames,
      registers,
    });
    this.#events = new Counter({
      name: "apiserver_storage_events_received_total",
      help: "Number of etcd events received split by kind.",
      labelNames: ["group", "resource"],
      registers,
    });
  }

  /** The same store; whoever uses it is counted. */
  get measured(): Store {
    const store = this.#store;
    const { currentRevision } = store;
    return {
      ...(currentRevision === undefined ? {} : { currentRevision: () => currentRevision.call(store) }),
      get revision(): Revision {
        return store.revision;
      },
      get: (key, revision) => this.#timed("get", key, () => store.get(key, revision)),
      range: (key, options) => this.#timed("list", key, () => store.range(key, options)),
      transact: (transaction) => this.#timed(operationOf(transaction), keyOf(transaction), () => store.transact(transaction)),
      watch: (request, deliver) => store.watch(request, this.#counted(deliver)),
      compact: (revision) => store.compact(revision),
      grantLease: (ttlSeconds, id) => store.grantLease(ttlSeconds, id),
      keepLeaseAlive: (id) => store.keepLeaseAlive(id),
      revokeLease: (id) => store.revokeLease(id),
      lease: (id) => store.lease(id),
      leases: () => store.leases(),
      status: () => store.status(),
      [Symbol.asyncDispose]: () => store[Symbol.asyncDispose](),
    };
  }

  /** What fails is left out, as upstream does. */
  async text(): Promise<string> {
    const [requests, size, measures] = await Promise.all([
      this.#registry.metrics(),
      this.#store.status().then(
        ({ sizeBytes }) => sizeText(sizeBytes),
        () => "",
      ),
      this.#store.measures?.().catch(() => []) ?? [],
    ]);
    return `${requests}\n${size}${measures.map(measureText).join("")}`;
  }

  #timed<Result>(operation: string, key: Key, run: () => Result): Result {
    const labels = { operation, ...this.#resourceOf(key) };
    const startedMs = this.#clock.monotonic();
    const done = (): void => {
      this.#requests.inc(labels);
      this.#durations.observe(labels, (this.#clock.monotonic() - startedMs) / 1000);
    };
    const passed = (value: unknown): unknown => {
      done();
      return value;
    };
    const failed = (error: unknown): never => {
      this.#errors.inc(labels);
      done();
      throw error;
    };
    try {
      const result = run();
      if (result instanceof Promise) return result.then(passed, failed) as Result; // of what the promise was of
      done();
      return result;
    } catch (error) {
      return failed(error);
    }
  }

  #counted(deliver: (batch: WatchBatch) => void): (batch: WatchBatch) => void {
    return (batch) => {
      for (const { kv } of batch.events) this.#events.inc(this.#resourceOf(kv.key));
      deliver(batch);
    };
  }
}

/** Upstream's words for what the registry does with a single object. */
function operationOf({ if: compares, then: operations }: Transaction): string {
  if (operations[0]?.kind !== "put") return operations[0]?.kind ?? "get";
  return compares[0]?.target === "create" ? "create" : "update";
}

function keyOf({ then: [first] }: Transaction): Key {
  return first === undefined || first.kind === "txn" ? "" : first.key;
}

/** Finds the resource by the prefix of its keys: "/registry/pods/", "/registry/stable.example.com/crontabs/". */
export function resourceByKey(
  served: () => Iterable<{ readonly prefix: string; readonly group: string; readonly resource: string }>,
): ResourceOfKey {
  const known = new Map<string, { readonly group: string; readonly resource: string }>();
  const nobody = { group: "", resource: "" };
  return (key) => {
    let end = key.indexOf("/", 1) + 1;
    for (let part = 0; part < 2 && end > 0; part++) {
      end = key.indexOf("/", end) + 1;
      const found = known.get(key.slice(0, end));
      if (found !== undefined) return found;
    }
    for (const { prefix, group, resource } of served()) {
      if (!key.startsWith(prefix)) continue;
      known.set(prefix, { group, resource });
      return { group, resource };
    }
    return nobody;
  };
}

const heading = (name: string, help: string, kind: string): string => `# HELP ${name} ${help}\n# TYPE ${name} ${kind}\n`;

function sizeText(bytes: number): string {
  const name = "apiserver_storage_size_bytes";
  const help = "Size of the storage database file physically allocated in bytes.";
  return `${heading(name, help, "gauge")}${name}{storage_cluster_id="etcd-0"} ${bytes}\n`;
}

function measureText(measure: StoreMeasure): string {
  const { name, help, kind } = measure;
  if (measure.kind !== "histogram") return `${heading(name, help, kind)}${name} ${measure.value}\n`;
  const buckets = [...measure.buckets, ["+Inf", measure.count] as const];
  const lines = buckets.map(([bound, count]) => `${name}_bucket{le="${bound}"} ${count}\n`).join("");
  return `${heading(name, help, kind)}${lines}${name}_sum ${measure.sum}\n${name}_count ${measure.count}\n`;
}
