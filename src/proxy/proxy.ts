// The service proxy: watches Services and EndpointSlices and keeps the kernel's table equal to the plan.
import { endpointSlices, services } from "#api";
import type { Clock, Log, Processes, Running, Timer } from "#base";
import type { InformerFactory } from "#client";
import { staleFlows } from "./conntrack.ts";
import { diffRules, fullScript, removeScript } from "./diff.ts";
import { planRules } from "./plan.ts";
import type { RuleSet } from "./rules.ts";
import { type PlannedPort, plannedPorts, type ProxyNode } from "./service-ports.ts";

export const proxyModes = ["nftables", "iptables", "ipvs", "userspace"] as const;
export type ProxyMode = (typeof proxyModes)[number];

export interface ProxyOptions {
  /** Absent means iptables, as upstream. */
  readonly mode?: string;
  readonly nodeName: string;
  /** The node's own addresses. NodePorts answer on every local address but loopback, so these are for information only. */
  readonly nodeIps?: readonly string[];
  /** Of topology hints. */
  readonly zone?: string;
  /** The pods' addresses: what comes from elsewhere to a Service is masqueraded. */
  readonly clusterCidr?: string;
  /** Put before each command, to work in a network namespace: ["ip", "netns", "exec", "n1"]. */
  readonly commandPrefix?: readonly string[];
  /** Leave the rules in place when disposed, as upstream does: Services go on answering. */
  readonly keepRules?: boolean;
}

export interface ProxyDeps {
  readonly informers: InformerFactory;
  readonly clock: Clock;
  readonly processes: Processes;
  readonly log: Log;
}

export interface RunningProxy extends Running {
  /** What upstream answers at /proxyMode. */
  readonly mode: ProxyMode;
  /** Milliseconds since 1970 of the last successful synchronization; undefined before the first. What /healthz tells. */
  readonly lastSynced: number | undefined;
  /** Resolves when everything seen so far is in the kernel. */
  synced(): Promise<void>;
}

/** How long a failed synchronization waits before the next, at first and at most. */
const firstRetryMs = 1000;
const longestRetryMs = 30_000;

/** Throws a sentence when the mode is unknown or not there. The caller starts the informers. */
export async function startProxy(options: ProxyOptions, deps: ProxyDeps): Promise<RunningProxy> {
  const mode = options.mode === undefined || options.mode === "" ? "iptables" : options.mode;
  if (!(proxyModes as readonly string[]).includes(mode)) throw new Error(`Cannot start the proxy: mode "${mode}" is none of ${proxyModes.join(", ")}`);
  if (mode !== "nftables") throw new Error(`Cannot start the proxy: ${mode} mode is not implemented yet: use nftables`);
  return new NftablesProxy(options, deps);
}

/** Removes our table: what upstream's `--cleanup` does. */
export async function cleanUpProxy(options: Pick<ProxyOptions, "commandPrefix">, { processes }: Pick<ProxyDeps, "processes">): Promise<void> {
  await run(processes, options.commandPrefix ?? [], "nft", ["-f", "-"], removeScript);
}

class NftablesProxy implements RunningProxy {
  readonly mode = "nftables";
  readonly #options: ProxyOptions;
  readonly #deps: ProxyDeps;
  readonly #node: ProxyNode;
  readonly #stack = new DisposableStack();
  /** What the kernel holds; undefined when that is not known and everything must be written anew. */
  #applied: RuleSet | undefined;
  #ports: readonly PlannedPort[] = [];
  #dirty = true;
  #begun = false;
  #stopped = false;
  #working: Promise<void> | undefined;
  #retry: Timer | undefined;
  #retryMs = firstRetryMs;
  #problem: string | undefined = "the proxy waits for its first list of services";
  lastSynced: number | undefined;

  constructor(options: ProxyOptions, deps: ProxyDeps) {
    this.#options = options;
    this.#deps = deps;
    this.#node = { name: options.nodeName, zone: options.zone, clusterCidr: options.clusterCidr };
    const changed = (): void => this.#changed();
    const handler = { added: changed, updated: changed, deleted: changed };
    const informers = [deps.informers.informer(services), deps.informers.informer(endpointSlices)] as const;
    for (const informer of informers) this.#stack.use(informer.addHandler(handler));
    void Promise.all(informers.map((informer) => informer.synced)).then(
      () => {
        this.#begun = true;
        this.#changed();
      },
      (error: unknown) => deps.log.error("cannot begin to proxy", { error: String(error) }),
    );
  }

  ready(): string | undefined {
    return this.#problem;
  }

  async synced(): Promise<void> {
    while (this.#working !== undefined) await this.#working;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopped = true;
    this.#stack.dispose();
    this.#retry?.cancel();
    await this.#working;
    if (this.#options.keepRules !== true) await this.#run("nft", ["-f", "-"], removeScript);
  }

  #changed(): void {
    this.#dirty = true;
    if (!this.#begun || this.#stopped || this.#working !== undefined || this.#retry !== undefined) return;
    this.#working = this.#work();
  }

  /** One transaction after the other, until there is nothing new. What comes meanwhile goes into the next. */
  async #work(): Promise<void> {
    try {
      while (this.#dirty && !this.#stopped) {
        // Events come in bursts: let the turn end before planning.
        await new Promise((resolve) => setImmediate(resolve));
        this.#dirty = false;
        await this.#sync();
      }
      this.#retryMs = firstRetryMs;
    } catch (error) {
      this.#applied = undefined;
      this.#problem = `the rules cannot be written: ${error instanceof Error ? error.message : String(error)}`;
      this.#deps.log.error("cannot write the service rules, will try again", { error: this.#problem, afterMs: this.#retryMs });
      if (!this.#stopped) {
        this.#retry = this.#deps.clock.after(this.#retryMs, () => {
          this.#retry = undefined;
          this.#changed();
        });
      }
      this.#retryMs = Math.min(longestRetryMs, this.#retryMs * 2);
    } finally {
      this.#working = undefined;
    }
  }

  async #sync(): Promise<void> {
    const { informers, clock, log } = this.#deps;
    const serviceList = informers.informer(services).list();
    const sliceList = informers.informer(endpointSlices).list();
    const planned = planRules(serviceList, sliceList, this.#node);
    const script = this.#applied === undefined ? fullScript(planned) : diffRules(this.#applied, planned);
    if (script !== "") {
      await this.#run("nft", ["-f", "-"], script);
      log.debug("wrote service rules", { bytes: script.length, full: this.#applied === undefined });
    }
    this.#applied = planned;
    const ports = plannedPorts(serviceList, sliceList, this.#node);
    const stale = staleFlows(this.#ports, ports);
    this.#ports = ports;
    for (const args of stale) await this.#forget(args);
    this.#problem = undefined;
    this.lastSynced = clock.now();
  }

  /** `conntrack` says 1 when there was no such flow. */
  async #forget(args: readonly string[]): Promise<void> {
    const [command, ...before] = [...(this.#options.commandPrefix ?? []), "conntrack"];
    try {
      await this.#deps.processes.run(command as string, [...before, ...args]); // "conntrack" at least
    } catch (error) {
      this.#deps.log.warn("cannot forget UDP flows to endpoints that are gone", { error: String(error) });
    }
  }

  #run(command: string, args: readonly string[], input: string): Promise<void> {
    return run(this.#deps.processes, this.#options.commandPrefix ?? [], command, args, input);
  }
}

async function run(processes: Processes, prefix: readonly string[], command: string, args: readonly string[], input: string): Promise<void> {
  const [first, ...rest] = [...prefix, command, ...args];
  const { code, stderr } = await processes.run(first as string, rest, { input }); // the command at least
  if (code !== 0) throw new Error(`"${command} ${args.join(" ")}" ended with code ${code}: ${stderr.trim().split("\n").slice(0, 3).join("; ")}`);
}
