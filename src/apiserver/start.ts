// Puts the API server together: caches, registry, security, chain; and the listeners when it is to be reached over the network.
import { type Clock, type Files, type Log, type Random, type Running, randomInt, sleep } from "#base";
import type { Handle } from "#client";
import { prefixEnd, type Store } from "#store";
import { CacheHub } from "./cache/hub.ts";
import { type Chain, serve } from "./chain.ts";
import type { AuditSink, LocalNode, ObjectReader, ObjectWriter } from "./contract.ts";
import { CustomResources } from "./crd/definitions.ts";
import { customDocuments } from "./crd/openapi.ts";
import { discoveryPaths } from "./discovery/paths.ts";
import { type HealthCheck, healthPaths } from "./health.ts";
import { type HttpDeps, handleExchange } from "./http/handler.ts";
import { type Listener, listen } from "./http/listener.ts";
import type { KubeletClient } from "./http/outbound.ts";
import { handleUpgrade } from "./http/upgrade.ts";
import { replyOf } from "./in-process.ts";
import { Metrics } from "./metrics.ts";
import { openApiPaths, openIdPaths } from "./openapi.ts";
import { createPaths, type PathHandler } from "./paths.ts";
import { queryFromRecord, uriOf } from "./query.ts";
import { Catalogue } from "./registry/catalogue.ts";
import { objectReader, objectWriter } from "./registry/internal-access.ts";
import { ObjectStore } from "./registry/object-store.ts";
import type { Reads } from "./registry/read.ts";
import type { Writes } from "./registry/request.ts";
import { createSecurity, newServiceAccountKey, type Security } from "./security/mod.ts";
import { resourceByKey, StoreMetrics } from "./store-metrics.ts";
import { createSubresources } from "./subresources/subresources.ts";
import { versionInfo, versionPath } from "./version.ts";

export interface ListenOptions {
  readonly address: string;
  /** 0: any free port. */
  readonly port: number;
  /** The flag that chooses the port, for the message when it is taken. */
  readonly portFlag?: string;
  /** Serving certificate and key, PEM. */
  readonly cert: string;
  readonly key: string;
}

export interface ApiServerOptions {
  /** False: only callers in this process; no sockets, no certificates. */
  readonly listen?: false | ListenOptions;
  /** CIDRs of Service addresses; the first is the default family. */
  readonly serviceClusterIpRanges?: readonly string[];
  readonly nodePortRange?: readonly [number, number];
  /** Upstream's names. */
  readonly enableAdmission?: readonly string[];
  readonly disableAdmission?: readonly string[];
  readonly authorizationModes?: readonly ("Node" | "RBAC" | "AlwaysAllow" | "AlwaysDeny")[];
  readonly anonymousAuth?: boolean;
  /** Content of a static token file. */
  readonly staticTokens?: string;
  /** Upstream's --enable-bootstrap-token-auth. */
  readonly bootstrapTokens?: boolean;
  readonly serviceAccountIssuer?: string;
  readonly serviceAccountKey?: { readonly privateKey: string; readonly publicKey: string };
  /** PEM: client certificates signed by it are users. */
  readonly clientCa?: string;
  /** What kubelets know this server by. */
  readonly kubeletClient?: KubeletClient;
  /** "10.0.0.1:6443", or "10.0.0.1" for the port that is listened on: where others reach this server; what discovery and the Service `kubernetes` say. */
  readonly advertiseAddress?: string;
  /** Version of this package, for /version. */
  readonly packageVersion?: string;
  /** Deep-freeze shared objects: finds who changes them, at half the speed. */
  readonly freezeObjects?: boolean;
  /** Skip writing bootstrap roles and namespaces (a fork of a cluster that has them). */
  readonly skipBootstrap?: boolean;
}

export interface ApiServerDeps {
  readonly store: Store;
  readonly clock: Clock;
  readonly random: Random;
  readonly files: Files;
  readonly log: Log;
  readonly audit?: AuditSink;
  /** Nodes of this process (simulated ones): their logs and pods are asked here instead of at their addresses. */
  readonly localNode?: (name: string) => LocalNode | undefined;
}

export interface RunningApiServer extends Running {
  /** The door for callers in the same process. */
  readonly handle: Handle;
  /** 0 without a listener. */
  readonly port: number;
  /** "" without a listener. */
  readonly url: string;
  readonly reader: ObjectReader;
  readonly writer: ObjectWriter;
  /** Opens one more listener with the same handler (needs `listen` options for the certificate, or its own). Throws the listen error. */
  listen(options: ListenOptions): Promise<{ readonly port: number }>;
}

const minWatchSeconds = 1_800;
const shutdownGraceMs = 5_000;
/** As upstream's --etcd-readycheck-timeout. */
const storeCheckMs = 2_000;

export async function startApiServer(options: ApiServerOptions, deps: ApiServerDeps): Promise<RunningApiServer> {
  const { clock, random, log } = deps;
  const catalogue = new Catalogue();
  const storeMetrics = new StoreMetrics(
    deps.store,
    clock,
    resourceByKey(() => placesOf(catalogue)),
  );
  const store = storeMetrics.measured;
  const hub = new CacheHub({ store, clock, log, freeze: options.freezeObjects ?? false });
  catalogue.addBuiltIns(hub);
  await hub.start();

  let security: Security | undefined;
  const objects = new ObjectStore(store, hub);
  const writes: Writes = { objects, clock, random, security: () => security };
  const reads: Reads = { store, hub, clock };
  const reader = objectReader(catalogue, writes);
  const writer = objectWriter(catalogue, writes);
  security = createSecurity({
    reader,
    writer,
    clock,
    random,
    log,
    serviceAccountKey: options.serviceAccountKey ?? (await newServiceAccountKey()),
    serviceRanges: options.serviceClusterIpRanges ?? ["10.96.0.0/16"],
    ...defined({
      issuer: options.serviceAccountIssuer,
      staticTokens: options.staticTokens,
      bootstrapTokens: options.bootstrapTokens,
      anonymous: options.anonymousAuth,
      authorizationModes: options.authorizationModes,
      enableAdmission: options.enableAdmission,
      disableAdmission: options.disableAdmission,
      nodePorts: options.nodePortRange,
      clientCa: options.clientCa,
    }),
  });
  let stopping = false;
  let advertised = options.advertiseAddress ?? "";
  const custom = new CustomResources({
    hub,
    catalogue,
    reader,
    writer,
    clock,
    log,
    removeAll: async (prefix) =>
      void (await store.transact({ if: [], then: [{ kind: "delete", key: prefix, end: prefixEnd(prefix) }] })),
  });
  const metrics = new Metrics(clock, () => objectCounts(catalogue), storeMetrics);
  const version = versionInfo(options.packageVersion ?? "0.1.0");
  const chain: Chain = {
    catalogue,
    reads,
    writes,
    clock,
    random,
    log,
    metrics,
    security,
    audit: deps.audit,
    subresources: createSubresources({
      catalogue,
      reads,
      writes,
      reader,
      writer,
      security,
      pick: (below) => randomInt(random, below),
      localNode: deps.localNode,
    }),
    paths: createPaths([
      healthPaths(healthChecks(store, clock, () => (stopping ? "shutting down" : undefined))),
      discoveryPaths(catalogue, () => advertised),
      versionPath(version),
      openApiPaths(customDocuments(custom, catalogue)),
      openIdPaths(security, () => `https://${advertised}`),
      metricsPath(metrics),
    ]),
    watchSeconds: () => minWatchSeconds + randomInt(random, minWatchSeconds),
  };
  await custom.start();
  if (options.skipBootstrap !== true) {
    await security.bootstrap();
  }
  const handle: Handle = async (request) => {
    const outcome = await serve(chain, {
      method: request.method,
      path: request.path,
      uri: uriOf(request.path, request.query),
      query: queryFromRecord(request.query),
      user: request.user,
      userAgent: request.userAgent,
      sourceIPs: ["127.0.0.1"],
      body: { contentType: request.contentType ?? "", value: request.body },
      ...(request.signal === undefined ? {} : { signal: request.signal }),
    });
    if (outcome.answer.kind !== "watch") outcome.finished();
    return replyOf(outcome.answer, outcome.warnings);
  };
  const listeners: Listener[] = [];
  const http: HttpDeps = {
    chain,
    security,
    random,
    ...(options.kubeletClient === undefined ? {} : { kubeletClient: options.kubeletClient }),
  };
  const open = async (where: ListenOptions): Promise<Listener> => {
    const listener = await listen({
      ...where,
      ...(options.clientCa === undefined ? {} : { clientCa: options.clientCa }),
      clock,
      handle: (exchange) => handleExchange(http, exchange),
      upgrade: (request, socket, head, certificate) => void handleUpgrade(http, request, socket, head, certificate),
    });
    listeners.push(listener);
    return listener;
  };
  const first = options.listen === undefined || options.listen === false ? undefined : await open(options.listen);
  if (advertised !== "" && !/:\d+$/.test(advertised) && first !== undefined) advertised = `${advertised}:${first.port}`;
  if (advertised === "" && first !== undefined && options.listen) advertised = `${options.listen.address}:${first.port}`;
  if (options.skipBootstrap !== true) await security.publish(splitAddress(advertised === "" ? "127.0.0.1:6443" : advertised));
  return {
    handle,
    reader,
    writer,
    listen: open,
    port: first?.port ?? 0,
    url:
      first === undefined || !options.listen
        ? ""
        : `https://${options.listen.address.includes(":") ? `[${options.listen.address}]` : options.listen.address}:${first.port}`,
    ready: () => (stopping ? "the API server is stopping" : undefined),
    [Symbol.asyncDispose]: async () => {
      stopping = true;
      for (const cache of hub.caches) cache.endWatches();
      await Promise.all(listeners.map((listener) => listener.close(shutdownGraceMs)));
      custom[Symbol.dispose]();
      security?.[Symbol.dispose]();
      await hub[Symbol.asyncDispose]();
    },
  };
}

/** "10.0.0.1:6443" or "[::1]:6443". */
function splitAddress(text: string): { readonly address: string; readonly port: number } {
  const colon = text.lastIndexOf(":");
  return { address: text.slice(0, colon).replace(/^\[|\]$/g, ""), port: Number(text.slice(colon + 1)) };
}

/** Without the properties that are undefined. */
function defined<T extends object>(values: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]?: Exclude<T[K], undefined>;
  };
}

function healthChecks(store: Store, clock: Clock, stopping: () => string | undefined): HealthCheck[] {
  const all = ["livez", "readyz", "healthz"] as const;
  const alarm = async (): Promise<string | undefined> => (await store.status()).alarm?.message;
  const remote = store.currentRevision !== undefined;
  const answers = async (): Promise<string | undefined> => {
    const abort = new AbortController();
    const late = sleep(clock, storeCheckMs, abort.signal).then(() => "context deadline exceeded");
    const answer = store.currentRevision?.().then(
      () => undefined,
      (error: Error) => error.message,
    );
    const problem = await Promise.race([answer, late.catch(() => undefined)]);
    abort.abort();
    return problem === undefined ? undefined : `error getting data from etcd: ${problem}`;
  };
  return [
    { name: "ping", in: all, check: () => undefined },
    { name: "log", in: all, check: () => undefined },
    // Nobody is helped by a restart of this process when etcd is away (kubernetes/kubernetes#98662): it lives, and is not ready.
    { name: "etcd", in: ["livez"], check: remote ? () => undefined : alarm },
    { name: "etcd", in: ["readyz", "healthz"], check: remote ? answers : alarm },
    { name: "informer-sync", in: ["readyz"], check: () => undefined },
    { name: "shutdown", in: ["readyz"], check: stopping },
  ];
}

const metricsPath =
  (metrics: Metrics): PathHandler =>
  (request) => {
    if (request.info.path !== "/metrics") return undefined;
    return (async () => ({ kind: "raw", code: 200, contentType: metrics.contentType, body: await metrics.text() }))();
  };

function* placesOf(catalogue: Catalogue): Iterable<{ prefix: string; group: string; resource: string }> {
  for (const { cache, type } of catalogue.served) yield { prefix: cache.prefix, group: type.group, resource: type.plural };
}

function* objectCounts(catalogue: Catalogue): Iterable<readonly [string, number]> {
  for (const resource of catalogue.served) {
    if (resource.convert !== undefined) continue;
    yield [
      resource.type.group === "" ? resource.type.plural : `${resource.type.plural}.${resource.type.group}`,
      resource.cache.size,
    ];
  }
}
