// The scheduler: takes pods from the queue one by one, decides, and lets bindings run side by side.
import { type ApiObject, apiVersionOf, nodes, type Pod, pods, type ResourceType } from "#api";
import type { Clock, Log, Random, Running } from "#base";
import type { Client, EventRecorder, Events, Informer, InformerFactory } from "#client";
import { ClusterCache } from "./cluster/cache.ts";
import type { PodInfo } from "./cluster/pod-info.ts";
import { type BindOutcome, bind, permit, reserve, unreserve, WaitingPods } from "./cycle/binding.ts";
import { LocalResults } from "./cycle/local-results.ts";
import { fitErrorMessage, noNodesMessage } from "./cycle/message.ts";
import { runFiltersWithNominated } from "./cycle/run-filters.ts";
import { type Considered, selectNode } from "./cycle/select-node.ts";
import { watchCluster, watchOther } from "./events.ts";
import { Decisions, type Explanation } from "./explain.ts";
import { defaultSchedulerName, type SchedulerConfiguration } from "./framework/config.ts";
import { CycleState } from "./framework/cycle-state.ts";
import type { Diagnosis, PluginEntry, PluginHandle } from "./framework/plugin.ts";
import { buildProfile, type Profile } from "./framework/profile.ts";
import { verdictText } from "./framework/verdict.ts";
import { builtInPlugins } from "./plugins/registry.ts";
import { PodStatusWriter, podReference } from "./pod-status.ts";
import { NominatedPods } from "./queue/nominated.ts";
import { type QueuedPod, type QueuePlace, SchedulingQueue } from "./queue/queue.ts";
import { noNodes, requeueIndex } from "./queue/requeue.ts";

export interface SchedulerOptions {
  readonly configuration?: SchedulerConfiguration;
  /** Plugins beside the built-in ones; a profile must enable them by name. */
  readonly plugins?: readonly PluginEntry[];
  /** For so many pods the last decision is kept for `explain`. */
  readonly explainLimit?: number;
  /** Compare-and-debug switch: every filter and score anew for every pod. */
  readonly plainLoop?: boolean;
}

export interface SchedulerDeps {
  readonly client: Client;
  readonly informers: InformerFactory;
  readonly events: Pick<Events, "recorder">;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

export interface RunningScheduler extends Running {
  /** The last decision on a pod ("namespace/name"): each node's verdict and scores. */
  explain(podKey: string): Explanation | undefined;
  /** Pods by where they wait: `scheduler_pending_pods`. */
  pending(): Readonly<Record<QueuePlace, number>>;
  /** Decisions so far: `scheduler_schedule_attempts_total`. */
  readonly attempts: { readonly scheduled: number; readonly unschedulable: number; readonly error: number };
}

/** So many pods, or so many milliseconds, before others in this process get their turn. */
const sliceSize = 32;
const sliceMs = 5;

/**
 * Begins when the informers (which the caller starts) have synced. Throws a sentence when the configuration is wrong.
 * Disposing stops the loop and waits for bindings under way.
 */
export async function startScheduler(options: SchedulerOptions, deps: SchedulerDeps): Promise<RunningScheduler> {
  return new Scheduler(options, deps);
}

class Scheduler implements RunningScheduler {
  readonly #deps: SchedulerDeps;
  readonly #log: Log;
  readonly #cluster = new ClusterCache();
  readonly #nominated = new NominatedPods();
  readonly #queue: SchedulingQueue;
  readonly #profiles = new Map<string, Profile>();
  readonly #local = new Map<string, LocalResults>();
  readonly #recorders = new Map<string, EventRecorder>();
  readonly #waiting: WaitingPods;
  readonly #status: PodStatusWriter;
  readonly #decisions: Decisions;
  readonly #rotation = { next: 0 };
  readonly #watched = new Map<string, Informer<ApiObject>>();
  readonly #informers: readonly Pick<Informer<ApiObject>, "synced" | "hasSynced" | "type">[];
  readonly #bindings = new Set<Promise<void>>();
  readonly #stack = new DisposableStack();
  readonly #stop = new AbortController();
  readonly attempts = { scheduled: 0, unschedulable: 0, error: 0 };
  #synced = false;
  #awake = false;
  #stopped = false;

  constructor(options: SchedulerOptions, deps: SchedulerDeps) {
    const { clock } = deps;
    const configuration = options.configuration ?? {};
    if ((configuration.extenders ?? []).length > 0)
      throw new Error("Cannot start the scheduler: extenders are not implemented yet");
    this.#deps = deps;
    this.#log = deps.log.child({ component: "scheduler" });
    this.#decisions = new Decisions(options.explainLimit ?? 256);
    this.#waiting = new WaitingPods(clock);
    this.#status = new PodStatusWriter(deps.client, clock, this.#log);
    const plugins = [...builtInPlugins, ...(options.plugins ?? [])];
    for (const profileConfig of configuration.profiles ?? [{}]) {
      const profile = buildProfile(
        profileConfig,
        plugins,
        (name) => this.#handle(name),
        configuration.percentageOfNodesToScore ?? 0,
      );
      if (this.#profiles.has(profile.name))
        throw new Error(`Cannot start the scheduler: profile "${profile.name}" is there twice`);
      this.#profiles.set(profile.name, profile);
      if (options.plainLoop !== true) this.#local.set(profile.name, new LocalResults(profile));
      this.#recorders.set(profile.name, deps.events.recorder({ component: profile.name }));
    }
    const [first] = this.#profiles.values();
    if (first === undefined) throw new Error("Cannot start the scheduler: no profile");
    for (const profile of this.#profiles.values()) {
      if (profile.queueSort.name !== first.queueSort.name)
        throw new Error("Cannot start the scheduler: all profiles must share one queueSort plugin, since there is one queue");
    }
    this.#queue = new SchedulingQueue({
      clock,
      less: (a, b) => first.queueSort.less(a, b),
      gate: (pod) => this.#profileOf(pod.pod)?.preEnqueue.find((plugin) => plugin.preEnqueue(pod).code !== "Success")?.name,
      helper: requeueIndex(this.#profiles.values(), (pod) => this.#profileOf(pod.pod)),
      onReady: () => this.#wake(),
      initialBackoffMs: (configuration.podInitialBackoffSeconds ?? 1) * 1000,
      maxBackoffMs: (configuration.podMaxBackoffSeconds ?? 10) * 1000,
      maxUnschedulableMs: 5 * 60_000,
    });
    this.#stack.use(this.#queue);
    this.#stack.use(
      watchCluster({
        informers: deps.informers,
        cluster: this.#cluster,
        queue: this.#queue,
        nominated: this.#nominated,
        isOurs: (pod) => this.#profileOf(pod) !== undefined,
        gone: (uid) => this.#waiting.get(uid)?.reject("", "the pod has gone"),
      }),
    );
    this.#informers = [deps.informers.informer(nodes), deps.informers.informer(pods), ...this.#watched.values()];
    void Promise.all(this.#informers.map((informer) => informer.synced)).then(
      () => {
        this.#synced = true;
        this.#wake();
      },
      (error: unknown) => this.#log.error("cannot begin to schedule", { error: String(error) }),
    );
  }

  ready(): string | undefined {
    if (this.#synced) return undefined;
    const missing = this.#informers.filter((informer) => !informer.hasSynced).map((informer) => informer.type.plural);
    return `the scheduler waits for its first list of ${missing.join(", ")}`;
  }

  explain(podKey: string): Explanation | undefined {
    return this.#decisions.explain(podKey);
  }

  pending(): Readonly<Record<QueuePlace, number>> {
    return this.#queue.counts();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopped = true;
    this.#stop.abort(new Error("the scheduler is stopping"));
    this.#stack.dispose();
    for (const waiting of this.#waiting.list()) waiting.reject("", "the scheduler is stopping");
    await Promise.allSettled(this.#bindings);
    await this.#status.flushed();
  }

  #profileOf(pod: Pod): Profile | undefined {
    return this.#profiles.get(pod.spec?.schedulerName ?? defaultSchedulerName);
  }

  #wake(): void {
    if (this.#awake || this.#stopped || !this.#synced) return;
    this.#awake = true;
    queueMicrotask(() => this.#slice());
  }

  /** Schedules pods until the slice is over, then lets the event loop turn. */
  #slice(): void {
    const until = this.#deps.clock.monotonic() + sliceMs;
    for (let count = 0; count < sliceSize && !this.#stopped; count++) {
      const queued = this.#queue.pop();
      if (queued === undefined) {
        this.#awake = false;
        return;
      }
      try {
        this.#schedule(queued);
      } catch (error) {
        // A plugin that throws breaks its pod's cycle, not the scheduler.
        this.#forget(queued.pod);
        this.#failed(queued, undefined, error instanceof Error ? error.message : String(error));
      }
      if (this.#deps.clock.monotonic() >= until) break;
    }
    if (this.#stopped) return;
    setImmediate(() => this.#slice());
  }

  #schedule(queued: QueuedPod): void {
    const { pod } = queued;
    const profile = this.#profileOf(pod.pod);
    if (
      profile === undefined ||
      pod.pod.metadata.deletionTimestamp !== undefined ||
      this.#cluster.placeOf(pod.uid) !== undefined
    ) {
      this.#queue.delete(pod.uid);
      return;
    }
    if (this.#cluster.nodes.length === 0) {
      this.#unschedulable(queued, profile, undefined, noNodesMessage, new Set([noNodes]));
      return;
    }
    const cycle = new CycleState();
    const selection = selectNode(
      {
        profile,
        cluster: this.#cluster,
        nominated: this.#nominated,
        random: this.#deps.random,
        local: this.#local.get(profile.name),
        rotation: this.#rotation,
      },
      pod,
      cycle,
    );
    if (selection.outcome === "error") {
      this.#failed(queued, profile, selection.message);
      return;
    }
    if (selection.outcome === "none") {
      const { diagnosis } = selection.considered;
      const postFilter = this.#postFilter(profile, pod, cycle, diagnosis);
      this.#unschedulable(queued, profile, selection.considered, fitErrorMessage(diagnosis, postFilter), diagnosis.rejectedBy);
      return;
    }
    this.#assign(queued, profile, selection.node.name, selection.considered, cycle);
  }

  /** The first plugin that makes the pod schedulable ends it; what the others say is joined. */
  #postFilter(profile: Profile, pod: PodInfo, cycle: CycleState, diagnosis: Diagnosis): string {
    const messages: string[] = [];
    for (const plugin of profile.postFilter) {
      const { verdict, nominatedNodeName } = plugin.postFilter(pod, cycle, diagnosis);
      if (nominatedNodeName !== undefined) this.#nominate(pod, nominatedNodeName);
      if (verdict.code === "Success") return "";
      const text = verdictText(verdict);
      if (text !== "") messages.push(text);
      if (verdict.code === "Error") break;
    }
    return messages.join(", ");
  }

  #assign(queued: QueuedPod, profile: Profile, nodeName: string, considered: Considered, cycle: CycleState): void {
    const { pod } = queued;
    this.#cluster.assume(pod, nodeName);
    const reserved = reserve(profile, pod, nodeName, cycle);
    const permitted = reserved.outcome === "bound" ? permit(profile, pod, nodeName, cycle) : reserved;
    const binding = this.#bindingCycle(queued, profile, nodeName, considered, cycle, permitted).catch((error: unknown) => {
      this.#log.error("the binding cycle broke", { pod: pod.key, error: String(error) });
    });
    this.#bindings.add(binding);
    void binding.finally(() => this.#bindings.delete(binding));
  }

  async #bindingCycle(
    queued: QueuedPod,
    profile: Profile,
    nodeName: string,
    considered: Considered,
    cycle: CycleState,
    permitted: ReturnType<typeof permit>,
  ): Promise<void> {
    const { pod } = queued;
    let outcome: BindOutcome;
    try {
      outcome = permitted.outcome === "wait" ? await this.#waiting.wait(pod, nodeName, permitted.timeouts) : permitted;
      if (outcome.outcome === "bound") {
        this.#queue.binding(queued);
        outcome = await bind(profile, pod, nodeName, cycle);
      }
    } catch (error) {
      outcome = { outcome: "error", message: error instanceof Error ? error.message : String(error), cause: error };
    }
    if (outcome.outcome === "bound") {
      this.#bound(queued, profile, nodeName, considered);
      return;
    }
    unreserve(profile, pod, nodeName, cycle);
    this.#forget(pod);
    if (outcome.outcome === "rejected") {
      this.#unschedulable(queued, profile, considered, outcome.message, new Set([outcome.plugin]));
    } else this.#failed(queued, profile, `binding rejected: ${outcome.message}`);
  }

  #bound(queued: QueuedPod, profile: Profile, nodeName: string, considered: Considered): void {
    const { pod } = queued;
    this.attempts.scheduled++;
    this.#queue.delete(pod.uid);
    this.#nominated.remove(pod.uid);
    this.#decisions.record({
      pod: pod.key,
      profile: profile.name,
      at: this.#deps.clock.now(),
      attempts: queued.attempts,
      node: nodeName,
      considered,
    });
    this.#record(profile.name, pod, "Normal", "Scheduled", "Binding", `Successfully assigned ${pod.key} to ${nodeName}`);
    this.#log.debug("bound pod", { pod: pod.key, node: nodeName });
  }

  /** Takes back an assumed place: others may use it now. */
  #forget(pod: PodInfo): void {
    if (this.#cluster.placeOf(pod.uid)?.assumed !== true) return;
    this.#cluster.forget(pod.uid);
    this.#queue.move({ resource: "pods", action: "Delete", before: pod.pod, pod });
  }

  #unschedulable(
    queued: QueuedPod,
    profile: Profile,
    considered: Considered | undefined,
    message: string,
    rejectedBy: ReadonlySet<string>,
  ): void {
    this.attempts.unschedulable++;
    this.#queue.unschedulable(queued, rejectedBy);
    this.#report(queued, profile, considered, message, "Unschedulable");
  }

  #failed(queued: QueuedPod, profile: Profile | undefined, message: string): void {
    if (queued.deleted) return;
    this.attempts.error++;
    this.#queue.failed(queued);
    this.#log.warn("cannot schedule pod, will try again", { pod: queued.pod.key, error: message });
    this.#report(queued, profile, undefined, message, "SchedulerError");
  }

  #report(
    queued: QueuedPod,
    profile: Profile | undefined,
    considered: Considered | undefined,
    message: string,
    reason: "Unschedulable" | "SchedulerError",
  ): void {
    const { pod } = queued;
    if (queued.deleted || this.#stopped) return;
    const name = profile?.name ?? defaultSchedulerName;
    this.#decisions.record({
      pod: pod.key,
      profile: name,
      at: this.#deps.clock.now(),
      attempts: queued.attempts,
      message,
      considered,
    });
    this.#record(name, pod, "Warning", "FailedScheduling", "Scheduling", message);
    this.#status.notScheduled(pod.pod, reason, message, this.#nominated.nodeOf(pod.uid));
  }

  #record(profileName: string, pod: PodInfo, type: "Normal" | "Warning", reason: string, action: string, message: string): void {
    this.#recorders.get(profileName)?.event(podReference(pod.pod), { type, reason, action, message });
  }

  #nominate(pod: PodInfo, nodeName: string): void {
    if ((this.#nominated.nodeOf(pod.uid) ?? "") === nodeName) return;
    this.#nominated.set(pod, nodeName);
    if (nodeName === "") this.#status.clearNomination(pod.pod);
  }

  #watch<T extends ApiObject>(type: ResourceType<T>): Informer<T> {
    const key = `${apiVersionOf(type)}/${type.plural}`;
    const existing = this.#watched.get(key);
    if (existing !== undefined) return existing as unknown as Informer<T>; // the key names the type
    const { informer, stop } = watchOther(this.#deps.informers, type, (event) => this.#queue.move(event));
    this.#stack.use(stop);
    this.#watched.set(key, informer as unknown as Informer<ApiObject>);
    return informer;
  }

  #handle(profileName: string): PluginHandle {
    const { client, informers, clock, random } = this.#deps;
    const profile = (): Profile => this.#profiles.get(profileName) as Profile; // plugins use it only after they are built
    return {
      profileName,
      client,
      informers,
      clock,
      random,
      log: this.#log,
      cluster: this.#cluster,
      nominated: this.#nominated,
      watch: (type) => this.#watch(type),
      waitingPods: () => this.#waiting.list(),
      runFilters: (pod, node, cycle) => runFiltersWithNominated(profile(), this.#nominated, pod, node, cycle),
      podAdded: (pod, other, node, cycle) => {
        for (const plugin of profile().preFilter)
          if (!cycle.skipFilter.has(plugin.name)) plugin.podAdded?.(pod, other, node, cycle);
      },
      podRemoved: (pod, other, node, cycle) => {
        for (const plugin of profile().preFilter)
          if (!cycle.skipFilter.has(plugin.name)) plugin.podRemoved?.(pod, other, node, cycle);
      },
      activate: (keys) => this.#queue.activate(keys),
      ungated: (uid) => this.#queue.ungated(uid),
      retry: (uid) => this.#queue.retry(uid),
      nominate: (pod, nodeName) => this.#nominate(pod, nodeName),
      stopping: this.#stop.signal,
      event: (pod, type, reason, action, message) =>
        this.#recorders.get(profileName)?.event(podReference(pod), { type, reason, action, message }),
    };
  }
}
