// Pods that wait for a node: ready ones by order, those that failed until their backoff ends or an event promises room.
import type { Clock, Timer } from "#base";
import type { PodInfo } from "../cluster/pod-info.ts";
import type { ClusterEvent, QueueEntry } from "../framework/plugin.ts";
import { Heap } from "./heap.ts";
import type { Helper } from "./requeue.ts";

/** Where a pod is. `inFlight`: being scheduled or bound. `gated`: a preEnqueue plugin holds it. */
export type QueuePlace = "active" | "backoff" | "unschedulable" | "gated" | "inFlight";

export interface QueuedPod extends QueueEntry {
  pod: PodInfo;
  queuedAtMs: number;
  order: number;
  place: QueuePlace;
  attempts: number;
  /** Plugins that refused it last time (or that gate it). */
  rejectedBy: ReadonlySet<string>;
  /** When its backoff ends, in monotonic milliseconds. */
  readyAtMs: number;
  /** Put back by an error, not by a plugin: it serves its backoff to the end. */
  failed: boolean;
  /** Counted when put on a heap; entries of older tickets are stale. */
  ticket: number;
  /** An event wanted to wake it while a preEnqueue plugin held it. */
  woken: boolean;
  /** The first event of the log that it has not been weighed against. */
  eventsFrom: number;
  deleted: boolean;
}

export interface QueueOptions {
  readonly clock: Clock;
  readonly less: (a: QueueEntry, b: QueueEntry) => boolean;
  /** The plugin that holds the pod back before it may be queued. */
  readonly gate: (pod: PodInfo) => string | undefined;
  /** Whom an event may help; undefined: nobody, whoever waits. */
  readonly helper: (event: ClusterEvent) => Helper | undefined;
  /** Called whenever `pop` may have something to give. */
  readonly onReady: () => void;
  readonly initialBackoffMs: number;
  readonly maxBackoffMs: number;
  /** So long a pod stays unschedulable without any event before it is tried again. */
  readonly maxUnschedulableMs: number;
}

interface Ticket {
  readonly queued: QueuedPod;
  readonly number: number;
}

const none: ReadonlySet<string> = new Set();
const trimEvery = 1024;

/** KEP-3521 (gates), KEP-4247 (event hints), KEP-5142 (an idle scheduler takes pods from the backoff queue early). */
export class SchedulingQueue implements Disposable {
  readonly #options: QueueOptions;
  readonly #pods = new Map<string, QueuedPod>();
  readonly #active: Heap<Ticket>;
  readonly #backoff: Heap<Ticket>;
  readonly #waiting = new Set<QueuedPod>();
  /** The same by each plugin that refused them. */
  readonly #waitingBy = new Map<string, Set<QueuedPod>>();
  readonly #inFlight = new Set<QueuedPod>();
  #events: Helper[] = [];
  #eventsBase = 0;
  #order = 0;
  #backoffTimer: { readonly atMs: number; readonly timer: Timer } | undefined;
  #flushTimer: Timer | undefined;

  constructor(options: QueueOptions) {
    this.#options = options;
    this.#active = new Heap((a, b) => options.less(a.queued, b.queued));
    this.#backoff = new Heap(
      (a, b) =>
        a.queued.readyAtMs < b.queued.readyAtMs || (a.queued.readyAtMs === b.queued.readyAtMs && a.queued.order < b.queued.order),
    );
  }

  get(uid: string): QueuedPod | undefined {
    return this.#pods.get(uid);
  }

  get size(): number {
    return this.#pods.size;
  }

  /** How many pods are where: the gauge `scheduler_pending_pods`. */
  counts(): Readonly<Record<QueuePlace, number>> {
    const counts = { active: 0, backoff: 0, unschedulable: 0, gated: 0, inFlight: 0 };
    for (const queued of this.#pods.values()) counts[queued.place]++;
    return counts;
  }

  /** A new pod without a node, or a new version of one that is queued. */
  set(pod: PodInfo): void {
    const queued = this.#pods.get(pod.uid);
    if (queued === undefined) {
      const now = this.#options.clock.monotonic();
      const added: QueuedPod = {
        pod,
        queuedAtMs: now,
        order: this.#order++,
        place: "gated",
        attempts: 0,
        rejectedBy: none,
        readyAtMs: 0,
        failed: false,
        ticket: 0,
        woken: false,
        eventsFrom: 0,
        deleted: false,
      };
      this.#pods.set(pod.uid, added);
      this.#enqueue(added);
      return;
    }
    const before = queued.pod;
    queued.pod = pod;
    if (queued.place === "gated") this.#enqueue(queued);
    else if (queued.place === "unschedulable" && mayMatter(before, pod)) this.#wake(queued);
    else if (queued.place === "inFlight" && mayMatter(before, pod)) queued.eventsFrom = -1; // whatever the outcome, try again
  }

  delete(uid: string): void {
    const queued = this.#pods.get(uid);
    if (queued === undefined) return;
    queued.deleted = true;
    queued.ticket++;
    this.#pods.delete(uid);
    this.#release(queued);
    this.#leaveFlight(queued);
  }

  /** The next pod to schedule, now in flight; give it back by `unschedulable`, `failed`, `refresh` or `delete`. */
  pop(): QueuedPod | undefined {
    const queued = this.#popActive() ?? this.#popBackoff();
    if (queued === undefined) return undefined;
    queued.place = "inFlight";
    queued.ticket++;
    queued.attempts++;
    queued.failed = false;
    queued.eventsFrom = this.#eventsBase + this.#events.length;
    this.#inFlight.add(queued);
    return queued;
  }

  /** It has a node and is being bound: events no longer matter to it, since a failed binding is tried again anyway. */
  binding(queued: QueuedPod): void {
    this.#leaveFlight(queued);
  }

  /** No node fits: it waits for an event that helps one of the plugins that refused it. */
  unschedulable(queued: QueuedPod, rejectedBy: ReadonlySet<string>): void {
    if (queued.deleted) return;
    const changed = queued.eventsFrom < 0;
    const missed = changed ? [] : this.#events.slice(queued.eventsFrom - this.#eventsBase);
    this.#leaveFlight(queued);
    queued.rejectedBy = rejectedBy;
    this.#startBackoff(queued);
    queued.place = "unschedulable";
    this.#hold(queued);
    this.#armFlush();
    if (changed || missed.some((helper) => helper.helps(queued.pod, rejectedBy))) {
      this.#wake(queued);
    }
  }

  /** Scheduling or binding broke: try again after the backoff. */
  failed(queued: QueuedPod): void {
    if (queued.deleted) return;
    this.#leaveFlight(queued);
    queued.rejectedBy = none;
    this.#startBackoff(queued);
    queued.failed = true;
    this.#toBackoff(queued);
  }

  /** Something happened in the cluster: pods that it may help are woken; pods in flight remember it. */
  move(event: ClusterEvent): void {
    if (this.#inFlight.size === 0 && this.#waiting.size === 0) return;
    const helper = this.#options.helper(event);
    if (helper === undefined) return;
    if (this.#inFlight.size > 0) this.#remember(helper);
    for (const plugin of helper.plugins) {
      for (const queued of this.#waitingBy.get(plugin) ?? []) if (helper.helps(queued.pod, queued.rejectedBy)) this.#wake(queued);
    }
  }

  /** Puts pods that wait (by key) into the active queue at once. */
  activate(keys: readonly string[]): void {
    const wanted = new Set(keys);
    for (const queued of this.#pods.values()) {
      if (!wanted.has(queued.pod.key)) continue;
      if (queued.place === "inFlight") queued.eventsFrom = -1;
      else if (queued.place === "unschedulable" || queued.place === "backoff") this.#toActive(queued);
    }
  }

  /** A preEnqueue plugin no longer holds this pod. */
  ungated(uid: string): void {
    const queued = this.#pods.get(uid);
    if (queued?.place === "gated") this.#enqueue(queued);
    else if (queued?.place === "unschedulable" && queued.woken) this.#wake(queued);
  }

  /** What a plugin had begun for this waiting pod came to nothing: it serves its backoff and is tried again. */
  retry(uid: string): void {
    const queued = this.#pods.get(uid);
    if (queued?.place !== "unschedulable") return;
    queued.failed = true;
    this.#toBackoff(queued);
  }

  [Symbol.dispose](): void {
    this.#backoffTimer?.timer.cancel();
    this.#flushTimer?.cancel();
  }

  #hold(queued: QueuedPod): void {
    this.#waiting.add(queued);
    for (const plugin of queued.rejectedBy) {
      const set = this.#waitingBy.get(plugin) ?? new Set();
      this.#waitingBy.set(plugin, set.add(queued));
    }
  }

  #release(queued: QueuedPod): void {
    if (!this.#waiting.delete(queued)) return;
    for (const plugin of queued.rejectedBy) this.#waitingBy.get(plugin)?.delete(queued);
  }

  #enqueue(queued: QueuedPod): void {
    if (this.#holdIfGated(queued)) return;
    queued.queuedAtMs = this.#options.clock.monotonic();
    this.#toActive(queued);
  }

  #holdIfGated(queued: QueuedPod): boolean {
    const gate = this.#options.gate(queued.pod);
    if (gate === undefined) return false;
    this.#release(queued);
    queued.place = "gated";
    queued.rejectedBy = new Set([gate]);
    return true;
  }

  #startBackoff(queued: QueuedPod): void {
    const { clock, initialBackoffMs, maxBackoffMs } = this.#options;
    const now = clock.monotonic();
    queued.queuedAtMs = now;
    queued.readyAtMs = now + Math.min(maxBackoffMs, initialBackoffMs * 2 ** Math.min(queued.attempts - 1, 30));
  }

  #wake(queued: QueuedPod): void {
    queued.woken = this.#options.gate(queued.pod) !== undefined;
    if (queued.woken) return;
    if (queued.readyAtMs > this.#options.clock.monotonic()) this.#toBackoff(queued);
    else this.#toActive(queued);
  }

  #toActive(queued: QueuedPod): void {
    this.#release(queued);
    queued.place = "active";
    this.#active.push({ queued, number: ++queued.ticket });
    this.#options.onReady();
  }

  #toBackoff(queued: QueuedPod): void {
    this.#release(queued);
    queued.place = "backoff";
    this.#backoff.push({ queued, number: ++queued.ticket });
    this.#armBackoff();
    if (!queued.failed) this.#options.onReady();
  }

  #popActive(): QueuedPod | undefined {
    for (let ticket = this.#active.pop(); ticket !== undefined; ticket = this.#active.pop()) {
      if (ticket.number === ticket.queued.ticket) return ticket.queued;
    }
    return undefined;
  }

  #popBackoff(): QueuedPod | undefined {
    const failed: Ticket[] = [];
    let found: QueuedPod | undefined;
    for (let ticket = this.#backoff.pop(); ticket !== undefined && found === undefined; ticket = this.#backoff.pop()) {
      if (ticket.number !== ticket.queued.ticket) continue;
      if (ticket.queued.failed) failed.push(ticket);
      else {
        found = ticket.queued;
        break;
      }
    }
    for (const ticket of failed) this.#backoff.push(ticket);
    return found;
  }

  #armBackoff(): void {
    const first = this.#firstBackoff();
    if (first === undefined) return;
    if (this.#backoffTimer !== undefined && this.#backoffTimer.atMs <= first.readyAtMs) return;
    this.#backoffTimer?.timer.cancel();
    const { clock } = this.#options;
    const timer = clock.after(first.readyAtMs - clock.monotonic(), () => {
      this.#backoffTimer = undefined;
      const now = clock.monotonic();
      for (let due = this.#firstBackoff(); due !== undefined && due.readyAtMs <= now; due = this.#firstBackoff()) {
        this.#backoff.pop();
        this.#toActive(due);
      }
      this.#armBackoff();
    });
    this.#backoffTimer = { atMs: first.readyAtMs, timer };
  }

  #firstBackoff(): QueuedPod | undefined {
    for (let ticket = this.#backoff.peek(); ticket !== undefined; ticket = this.#backoff.peek()) {
      if (ticket.number === ticket.queued.ticket) return ticket.queued;
      this.#backoff.pop();
    }
    return undefined;
  }

  #armFlush(): void {
    if (this.#flushTimer !== undefined) return;
    this.#flushTimer = this.#options.clock.after(30_000, () => {
      this.#flushTimer = undefined;
      const longAgo = this.#options.clock.monotonic() - this.#options.maxUnschedulableMs;
      for (const queued of this.#waiting) if (queued.queuedAtMs <= longAgo) this.#wake(queued);
      if (this.#waiting.size > 0) this.#armFlush();
    });
  }

  #remember(helper: Helper): void {
    this.#events.push(helper);
    if (this.#events.length % trimEvery !== 0) return;
    let oldest = Number.POSITIVE_INFINITY;
    for (const queued of this.#inFlight) if (queued.eventsFrom >= 0) oldest = Math.min(oldest, queued.eventsFrom);
    const drop = Math.min(this.#events.length, oldest - this.#eventsBase);
    this.#events.splice(0, drop);
    this.#eventsBase += drop;
  }

  #leaveFlight(queued: QueuedPod): void {
    if (!this.#inFlight.delete(queued)) return;
    if (this.#inFlight.size === 0) {
      this.#eventsBase += this.#events.length;
      this.#events = [];
    }
  }
}

/** Whether a change of the pod itself could change where it fits: anything but its status and bookkeeping. */
function mayMatter(before: PodInfo, after: PodInfo): boolean {
  const a = before.pod;
  const b = after.pod;
  return (
    a.metadata.generation !== b.metadata.generation ||
    a.metadata.deletionTimestamp !== b.metadata.deletionTimestamp ||
    (a.metadata.generation === undefined && JSON.stringify(a.spec) !== JSON.stringify(b.spec)) ||
    (a.metadata.labels !== b.metadata.labels && JSON.stringify(a.metadata.labels) !== JSON.stringify(b.metadata.labels))
  );
}
