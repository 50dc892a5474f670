// A whole cluster as a library: API server, store, scheduler, controllers and simulated nodes in this process, without sockets, on virtual time.
import { createHash, generateKeyPairSync } from "node:crypto";
import { type RunningApiServer, startApiServer } from "#apiserver";
import {
  type Clock,
  type Log,
  type Random,
  seededRandom,
  silentLog,
  systemClock,
  systemFiles,
  systemRandom,
  VirtualClock,
} from "#base";
import { type Client, createClient, forceWire, freezeShared, inProcessTransport, type UserInfo } from "#client";
import type { RunningScheduler } from "#scheduler";
import { type MemoryStore, openMemoryStore } from "#store";
import { type ClientFor, type ComponentDeps, runControllers, runScheduler, runSimNodes } from "./control-plane.ts";
import { createFaults, type Faults } from "./faults.ts";
import { administrator } from "./identities.ts";
import { openPort } from "./open-port.ts";
import { Parts } from "./parts.ts";

export interface ClusterOptions {
  /** Where state lives; only "memory" can be forked. */
  readonly store?: "memory";
  readonly simNodes?: number;
  /** The same seed gives the same run, to the byte (`traceHash`). Default 1. */
  readonly seed?: number;
  /** "virtual" (default): time stands still until `cluster.clock` is moved or `until` waits. "real": it passes by itself. */
  readonly time?: "virtual" | "real";
  /** Send every request as bytes, as over HTTPS, so that nothing can depend on shared objects. */
  readonly wire?: boolean;
  /** Upstream's --controllers; default all. */
  readonly controllers?: readonly string[];
  readonly scheduler?: boolean;
  readonly log?: Log;
}

export interface Cluster extends AsyncDisposable {
  /** Speaks as the administrator. */
  readonly client: Client;
  clientFor(user: UserInfo): Client;
  /** Virtual unless asked otherwise; `advance` and `runUntil` move it. */
  readonly clock: Clock | VirtualClock;
  readonly faults: Faults;
  readonly scheduler: RunningScheduler | undefined;
  /**
   * Lets the cluster work until `condition` holds, moving virtual time as far as needed. Throws after `limitMs` of cluster time (default one hour).
   */
  until(condition: () => boolean | Promise<boolean>, limitMs?: number): Promise<void>;
  /** A second cluster that begins with everything this one has stored. O(1) in the size of the store. */
  fork(options?: Pick<ClusterOptions, "seed" | "simNodes">): Promise<Cluster>;
  /**
   * A kubeconfig (YAML) for programs outside: kubectl, Helm, an operator. The first call opens an HTTPS port on loopback; who never calls
   * needs none. Requests are answered at once, but what controllers do in answer waits until somebody moves virtual time.
   */
  kubeconfig(): Promise<string>;
  /** SHA-256 over every change since the cluster began. */
  traceHash(): string;
}

export async function createCluster(options: ClusterOptions = {}): Promise<Cluster> {
  const random = seededRandom((options.seed ?? 1) ^ 0x5eed);
  if (options.time === "real") return build(options, systemClock, openMemoryStore({ clock: systemClock, random }));
  const clock = new VirtualClock();
  begun ??= beginning();
  return build(options, clock, (await begun).fork({ clock, random }), true);
}

let begun: Promise<MemoryStore> | undefined;

/** What every cluster on virtual time has at its first moment (namespaces, roles, ...): made once a process, and forked for each. */
async function beginning(): Promise<MemoryStore> {
  const clock = new VirtualClock();
  const store = openMemoryStore({ clock, random: seededRandom(0) });
  const deps = { store, clock, random: seededRandom(0), files: systemFiles, log: silentLog };
  const server = await startApiServer({ listen: false, serviceAccountKey: quickKey() }, deps);
  await server[Symbol.asyncDispose]();
  return store;
}

async function build(options: ClusterOptions, clock: Clock, store: MemoryStore, forked = false): Promise<Cluster> {
  const parts = new Parts({ clock, log: options.log ?? silentLog });
  const close = async (): Promise<void> => {
    const done = parts[Symbol.asyncDispose]();
    // what is being closed may wait for time that nobody moves any more
    if (clock instanceof VirtualClock) await drive(clock, done);
    await done;
  };
  try {
    return { ...(await start(options, clock, store, forked, parts)), [Symbol.asyncDispose]: close };
  } catch (error) {
    await close();
    throw error;
  }
}

async function start(
  options: ClusterOptions,
  clock: Clock,
  store: MemoryStore,
  forked: boolean,
  parts: Parts,
): Promise<Omit<Cluster, typeof Symbol.asyncDispose>> {
  const random = seededRandom(options.seed ?? 1);
  const log = options.log ?? silentLog;
  const trace = createHash("sha256");
  const watch = await store.watch({ key: "\0", end: "\0" }, ({ events }) => {
    for (const { type, kv } of events) trace.update(`${type} ${kv.key} ${kv.modRevision} `).update(kv.value);
  });
  parts.add("trace", watch);
  // not drawn from the seed: it must not be guessed
  const token = Buffer.from(systemRandom.bytes(24)).toString("base64url");
  const server = await startApiServer(
    {
      listen: false,
      serviceAccountKey: quickKey(),
      staticTokens: `${token},${administrator.name},,"system:masters"\n`,
      skipBootstrap: forked,
    },
    { store, clock, random: branch(random), files: systemFiles, log: log.child({ component: "apiserver" }) },
  );
  parts.add("apiserver", server);
  const faults = createFaults({ clock, random: branch(random) });
  const clientFor: ClientFor = (user, userAgent) =>
    createClient(faults.wrap(transportOf(server, user, userAgent, options.wire ?? false), userAgent), {});
  const deps = (): ComponentDeps => ({ clientFor, clock, random: branch(random), log });

  parts.add(
    "controllers",
    await runControllers(
      { controllers: options.controllers ?? ["*"], clusterCidrs: ["10.244.0.0/16"], rootCertificate: noCertificate },
      deps(),
    ),
  );
  const scheduler = options.scheduler === false ? undefined : await runScheduler({}, deps());
  if (scheduler !== undefined) parts.add("scheduler", scheduler);
  const count = options.simNodes ?? 0;
  if (count > 0) parts.add("simulated nodes", await runSimNodes({ count, namePrefix: "node-" }, deps()));

  let kubeconfig: Promise<string> | undefined;
  return {
    client: clientFor(administrator, "cluster"),
    clientFor: (user) => clientFor(user, "cluster"),
    clock,
    faults,
    scheduler,
    until: (condition, limitMs = 3_600_000) => until(clock, condition, limitMs),
    fork: async (more = {}) => {
      const next = clock instanceof VirtualClock ? new VirtualClock({ startMs: clock.now() }) : clock;
      return build({ ...options, ...more }, next, store.fork({ clock: next }), true);
    },
    kubeconfig: () => (kubeconfig ??= openPort(server, token)),
    traceHash: () => trace.copy().digest("hex"),
  };
}

/** Each component draws from its own sequence: what one does more or less of must not change another's luck. */
function branch(random: Random): Random {
  return seededRandom(Math.floor(random.float() * 0x1_0000_0000));
}

/** Pods wait for kube-root-ca.crt; what is in it only matters to programs that speak TLS, and simulated ones do not. */
const noCertificate = "# this cluster is reached in process: it has no certificate\n";

/** An elliptic-curve key: made in under a millisecond, where RSA takes eighty. */
const quickKey = () =>
  generateKeyPairSync("ec", {
    namedCurve: "prime256v1",
    publicKeyEncoding: { type: "spki", format: "pem" },
    privateKeyEncoding: { type: "pkcs8", format: "pem" },
  });

const transportOf = (server: RunningApiServer, user: UserInfo, userAgent: string, wire: boolean) => {
  const transport = inProcessTransport(server.handle, { user, userAgent });
  return wire ? forceWire(transport) : freezeShared(transport);
};

async function until(clock: Clock, condition: () => boolean | Promise<boolean>, limitMs: number): Promise<void> {
  const limit = clock.monotonic() + limitMs;
  while (!(await condition())) {
    if (clock.monotonic() >= limit) throw new Error(`The condition does not hold after ${limitMs} ms of cluster time`);
    if (clock instanceof VirtualClock) await clock.next(limit - clock.monotonic());
    else await new Promise<void>((resolve) => clock.after(20, resolve));
  }
}

async function drive(clock: VirtualClock, work: Promise<unknown>): Promise<void> {
  let done = false;
  void work.finally(() => (done = true)).catch(() => {});
  await clock.advance(0);
  while (!done) await clock.next(1000);
}
