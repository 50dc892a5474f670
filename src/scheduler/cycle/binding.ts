// The binding cycle of one pod: permit, preBind, bind, postBind; any failure undoes what was reserved.
import type { Clock } from "#base";
import type { PodInfo } from "../cluster/pod-info.ts";
import type { CycleState } from "../framework/cycle-state.ts";
import type { WaitingPod } from "../framework/plugin.ts";
import type { Profile } from "../framework/profile.ts";
import { isRejected, type Verdict, verdictText } from "../framework/verdict.ts";

export type BindOutcome =
  | { readonly outcome: "bound" }
  | { readonly outcome: "rejected"; readonly message: string; readonly plugin: string }
  | { readonly outcome: "error"; readonly message: string; readonly cause?: unknown };

const bound: BindOutcome = { outcome: "bound" };

/** Reserve, in the scheduling cycle. On failure the caller must call `unreserve`. */
export function reserve(profile: Profile, pod: PodInfo, nodeName: string, cycle: CycleState): BindOutcome {
  for (const plugin of profile.reserve) {
    const verdict = plugin.reserve?.(pod, nodeName, cycle);
    if (verdict !== undefined && verdict.code !== "Success") return refusal(verdict, plugin.name, "Reserve");
  }
  return bound;
}

/** Unreserve runs for every reserve plugin, in reverse order. */
export function unreserve(profile: Profile, pod: PodInfo, nodeName: string, cycle: CycleState): void {
  for (const plugin of profile.reserve.toReversed()) plugin.unreserve?.(pod, nodeName, cycle);
}

/** Permit: approves, refuses, or says for which plugins and how long the pod must wait. */
export function permit(
  profile: Profile,
  pod: PodInfo,
  nodeName: string,
  cycle: CycleState,
): BindOutcome | { readonly outcome: "wait"; readonly timeouts: ReadonlyMap<string, number> } {
  const timeouts = new Map<string, number>();
  for (const plugin of profile.permit) {
    const verdict = plugin.permit(pod, nodeName, cycle);
    if (verdict.code === "Wait") timeouts.set(plugin.name, Math.min(verdict.timeoutMs, maxWaitMs));
    else if (verdict.code !== "Success") return refusal(verdict, plugin.name, "Permit");
  }
  return timeouts.size === 0 ? bound : { outcome: "wait", timeouts };
}

const maxWaitMs = 15 * 60_000;

/** Everything after permit. */
export async function bind(profile: Profile, pod: PodInfo, nodeName: string, cycle: CycleState): Promise<BindOutcome> {
  for (const plugin of profile.preBind) {
    const verdict = await plugin.preBind(pod, nodeName, cycle);
    if (verdict.code !== "Success" && verdict.code !== "Skip") return refusal(verdict, plugin.name, "PreBind");
  }
  for (const plugin of profile.bind) {
    const verdict = await plugin.bind(pod, nodeName, cycle);
    if (verdict.code === "Skip") continue;
    if (verdict.code !== "Success") return refusal(verdict, plugin.name, "Bind");
    for (const after of profile.postBind) after.postBind(pod, nodeName, cycle);
    return bound;
  }
  return { outcome: "error", message: "no bind plugin took the pod" };
}

function refusal(verdict: Verdict, plugin: string, point: string): BindOutcome {
  if (isRejected(verdict)) return { outcome: "rejected", message: verdictText(verdict), plugin };
  return {
    outcome: "error",
    message: `running ${point} plugin "${plugin}": ${verdictText(verdict) || verdict.code}`,
    cause: verdict.code === "Error" ? verdict.cause : undefined,
  };
}

/** Pods that permit plugins hold back, by uid. */
export class WaitingPods {
  readonly #clock: Clock;
  readonly #pods = new Map<string, WaitingPod>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  list(): readonly WaitingPod[] {
    return [...this.#pods.values()];
  }

  get(uid: string): WaitingPod | undefined {
    return this.#pods.get(uid);
  }

  /** Resolves when every plugin allows the pod, or one refuses it, or the first time-out passes. */
  wait(pod: PodInfo, nodeName: string, timeouts: ReadonlyMap<string, number>): Promise<BindOutcome> {
    return new Promise((resolve) => {
      const pending = new Set(timeouts.keys());
      const end = (outcome: BindOutcome): void => {
        for (const timer of timers) timer.cancel();
        this.#pods.delete(pod.uid);
        resolve(outcome);
      };
      const reject = (plugin: string, reason: string): void => end({ outcome: "rejected", plugin, message: reason });
      const timers = [...timeouts].map(([plugin, timeoutMs]) =>
        this.#clock.after(timeoutMs, () =>
          reject(plugin, `rejected due to timeout after waiting ${timeoutMs / 1000}s at plugin ${plugin}`),
        ),
      );
      this.#pods.set(pod.uid, {
        pod,
        nodeName,
        get waitsFor() {
          return [...pending];
        },
        allow: (plugin) => {
          pending.delete(plugin);
          if (pending.size === 0) end(bound);
        },
        reject,
      });
    });
  }
}
