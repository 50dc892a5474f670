// The shape of a scheduler plugin: twelve extension points, all optional (KEP-624).
import type { ApiObject, Pod, ResourceType, Stored } from "#api";
import type { Clock, Log, Random } from "#base";
import type { Client, Informer, InformerFactory } from "#client";
import type { ClusterCache } from "../cluster/cache.ts";
import type { NodeState } from "../cluster/node-state.ts";
import type { PodInfo } from "../cluster/pod-info.ts";
import type { NominatedPods } from "../queue/nominated.ts";
import type { CycleState } from "./cycle-state.ts";
import type { Rejected, Verdict } from "./verdict.ts";

/** What happened in the cluster. `pods` means pods that have a node. */
export interface ClusterEvent {
  readonly resource: string;
  readonly action: "Add" | "Update" | "Delete";
  readonly before?: ApiObject;
  readonly after?: ApiObject;
  /** Of events of pods: the pod, parsed (its last state when it is gone). */
  readonly pod?: PodInfo;
}

/** An event after which a pod that this plugin rejected may fit. Without `when`, each such event is worth another try. */
export interface Requeue {
  readonly resource: string;
  readonly action: ClusterEvent["action"];
  when?(pod: PodInfo, event: ClusterEvent): boolean;
  /** What can be said of the event whoever waits: asked once, not once per waiting pod. */
  ever?(event: ClusterEvent): boolean;
}

export interface PreFilterResult {
  readonly verdict: Verdict;
  /** The only nodes worth a look. */
  readonly nodeNames?: ReadonlySet<string>;
}

export interface PostFilterResult {
  readonly verdict: Verdict;
  /** The node that will have room once what the plugin started is done. "" clears an earlier nomination. */
  readonly nominatedNodeName?: string;
}

/** Why each node was refused; nodes that nothing looked at answer with `absent`. */
export interface Diagnosis {
  readonly nodeCount: number;
  readonly rejections: ReadonlyMap<string, Rejected>;
  readonly absent: Rejected | undefined;
  readonly preFilterMessage: string;
  readonly rejectedBy: ReadonlySet<string>;
}

/**
 * Filter, preFilter, score and their kin run synchronously in the scheduling cycle: they read what informers hold and never wait.
 * Reserve runs there too. Permit, preBind, bind and postBind run in the binding cycle of the pod, side by side with other pods'.
 */
export interface Plugin {
  readonly name: string;
  readonly requeueOn?: readonly Requeue[];
  /**
   * Present when filter and score depend on nothing but what is returned here and the node itself: the answers are then shared by all pods of the
   * same signature until the node changes. The text must hold everything of the pod that the plugin looks at.
   */
  signature?(pod: PodInfo): string;
  preEnqueue?(pod: PodInfo): Verdict;
  /** queueSort: whether `a` leaves the queue before `b`. */
  less?(a: QueueEntry, b: QueueEntry): boolean;
  preFilter?(pod: PodInfo, cycle: CycleState, nodes: readonly NodeState[]): PreFilterResult;
  /** Keeps this plugin's cycle state right while preemption tries a node without some pods. */
  podAdded?(pod: PodInfo, other: PodInfo, node: NodeState, cycle: CycleState): void;
  podRemoved?(pod: PodInfo, other: PodInfo, node: NodeState, cycle: CycleState): void;
  filter?(pod: PodInfo, node: NodeState, cycle: CycleState): Verdict;
  postFilter?(pod: PodInfo, cycle: CycleState, diagnosis: Diagnosis): PostFilterResult;
  preScore?(pod: PodInfo, cycle: CycleState, nodes: readonly NodeState[]): Verdict;
  /** From 0 to 100, unless `normalize` brings it there. */
  score?(pod: PodInfo, node: NodeState, cycle: CycleState): number;
  normalize?(pod: PodInfo, scores: Float64Array, nodes: readonly NodeState[], cycle: CycleState): void;
  reserve?(pod: PodInfo, nodeName: string, cycle: CycleState): Verdict;
  /** Must be harmless when `reserve` did not run. */
  unreserve?(pod: PodInfo, nodeName: string, cycle: CycleState): void;
  permit?(pod: PodInfo, nodeName: string, cycle: CycleState): Verdict;
  preBind?(pod: PodInfo, nodeName: string, cycle: CycleState): Promise<Verdict> | Verdict;
  bind?(pod: PodInfo, nodeName: string, cycle: CycleState): Promise<Verdict> | Verdict;
  postBind?(pod: PodInfo, nodeName: string, cycle: CycleState): void;
}

/** What queueSort compares. */
export interface QueueEntry {
  readonly pod: PodInfo;
  /** When the pod came into the queue this time, in monotonic milliseconds. */
  readonly queuedAtMs: number;
  readonly order: number;
}

/** A pod that a permit plugin holds back. */
export interface WaitingPod {
  readonly pod: PodInfo;
  readonly nodeName: string;
  /** Plugins it still waits for. */
  readonly waitsFor: readonly string[];
  allow(plugin: string): void;
  reject(plugin: string, reason: string): void;
}

/** What a plugin may lean on. */
export interface PluginHandle {
  readonly profileName: string;
  readonly client: Client;
  readonly informers: InformerFactory;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly cluster: ClusterCache;
  readonly nominated: NominatedPods;
  /** Makes the scheduler tell waiting pods of this resource's events (for `requeueOn`); returns the informer's objects by key. */
  watch<T extends ApiObject>(type: ResourceType<T>): Informer<T>;
  waitingPods(): readonly WaitingPod[];
  /** The filters of this profile on one node, with pods nominated to it counted in. */
  runFilters(pod: PodInfo, node: NodeState, cycle: CycleState): Verdict;
  podAdded(pod: PodInfo, other: PodInfo, node: NodeState, cycle: CycleState): void;
  podRemoved(pod: PodInfo, other: PodInfo, node: NodeState, cycle: CycleState): void;
  /** Puts these pods into the active queue, whatever holds them (a gang whose last member has come). */
  activate(keys: readonly string[]): void;
  /** A preEnqueue plugin says that it no longer holds the pod. */
  ungated(uid: string): void;
  /** What the plugin had begun for the pod came to nothing: try the pod again after its backoff. */
  retry(uid: string): void;
  /** Tells the API server and the queue where a pod may go once there is room; "" takes it back. */
  nominate(pod: PodInfo, nodeName: string): void;
  /** An event about a pod, such as `Preempted`. */
  event(about: Stored<Pod>, type: "Normal" | "Warning", reason: string, action: string, message: string): void;
  /** Aborted when the scheduler stops: what waits in preBind must end then. */
  readonly stopping: AbortSignal;
}

/** A plugin that takes arguments (`pluginConfig[].args`) or needs the handle. Throws a sentence when the arguments are wrong. */
export interface PluginFactory {
  readonly name: string;
  create(args: Readonly<Record<string, unknown>>, handle: PluginHandle): Plugin;
}

export type PluginEntry = Plugin | PluginFactory;

export const isFactory = (entry: PluginEntry): entry is PluginFactory => "create" in entry;
