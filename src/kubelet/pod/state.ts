// Everything that decides what happens to a pod: what the API wants, what the runtime has, what this kubelet remembers.
import type { Pod, PodStatus } from "#api";
import type { ContainerStatus, SandboxStatus } from "../runtime.ts";
import type { Backoff } from "./restart.ts";

/** What is known of a container's probes; absent fields mean that no result has come yet. */
export interface ProbeResults {
  readonly startup?: "success" | "failure";
  readonly liveness?: "success" | "failure";
  readonly readiness?: "success" | "failure";
}

/** Why a container could not be started: shown as its waiting state. */
export interface StartFailure {
  readonly reason: string;
  readonly message: string;
  readonly retryAtMs: number;
}

export type VolumeState =
  | { readonly phase: "none"; readonly retryAtMs?: number }
  | { readonly phase: "mounted" }
  | { readonly phase: "gone" };

/** A stop that was asked for: until when the container may take its time. */
export interface StopOrder {
  readonly deadlineMs: number;
}

export interface Ended {
  readonly reason: string;
  readonly message: string;
  /** Instead of what the pod asks for. */
  readonly graceSeconds?: number;
}

export interface PodMemory {
  /** status.startTime: when this kubelet first took the pod. */
  readonly startedAtMs: number;
  /** Refused on arrival: the pod never runs. */
  readonly rejected?: { readonly reason: string; readonly message: string };
  /** Ended by the node (deadline, eviction): final, whatever the containers' exit codes. */
  readonly ended?: Ended;
  readonly stoppingSinceMs?: number;
  readonly volumes: VolumeState;
  /** Actions under way, by `actionKey`. */
  readonly busy: ReadonlySet<string>;
  /** The container that is being started. */
  readonly starting?: string;
  readonly sandboxRetryAtMs?: number;
  readonly startFailures: ReadonlyMap<string, StartFailure>;
  readonly crashBackoff: ReadonlyMap<string, Backoff>;
  /** By container id, as the next four. */
  readonly probes: ReadonlyMap<string, ProbeResults>;
  readonly preStopDone: ReadonlySet<string>;
  readonly stops: ReadonlyMap<string, StopOrder>;
  readonly terminationMessages: ReadonlyMap<string, string>;
  /** Resources applied to running containers since they started, as `resourcesText`. */
  readonly resized: ReadonlyMap<string, string>;
  /** The status last sent or read: conditions keep their transition times from it. */
  readonly published?: PodStatus;
  /** The API object is deleted, or there never was one. */
  readonly objectGone: boolean;
}

export interface NodeFacts {
  /** "containerd": the scheme of container ids. */
  readonly runtimeName: string;
  readonly hostIps: readonly string[];
  readonly keepTerminalSandbox: boolean;
}

export interface PodState {
  readonly pod: Pod;
  /** The pod's source no longer has it: it was deleted without grace, or its file is gone. */
  readonly removed: boolean;
  readonly sandboxes: readonly SandboxStatus[];
  readonly containers: readonly ContainerStatus[];
  readonly memory: PodMemory;
  readonly node: NodeFacts;
}

export type Action =
  | { readonly kind: "mountVolumes" }
  | { readonly kind: "unmountVolumes" }
  | { readonly kind: "createSandbox"; readonly attempt: number; readonly replaces: boolean }
  | { readonly kind: "stopSandbox"; readonly id: string }
  | { readonly kind: "removeSandbox"; readonly id: string }
  | { readonly kind: "startContainer"; readonly name: string; readonly attempt: number; readonly sandboxId: string }
  | { readonly kind: "preStop"; readonly id: string; readonly name: string; readonly timeoutMs: number }
  | {
      readonly kind: "stopContainer";
      readonly id: string;
      readonly name: string;
      readonly graceSeconds: number;
      readonly why?: string;
    }
  | { readonly kind: "resizeContainer"; readonly id: string; readonly name: string }
  | { readonly kind: "removeContainer"; readonly id: string }
  | { readonly kind: "deleteObject" }
  | { readonly kind: "forget" };

/** Two actions with the same key never run at the same time. */
export function actionKey(action: Action): string {
  switch (action.kind) {
    case "mountVolumes":
    case "unmountVolumes":
      return "volumes";
    case "createSandbox":
      return "sandbox";
    case "startContainer":
      return "start";
    case "stopSandbox":
    case "removeSandbox":
    case "removeContainer":
    case "stopContainer":
      return `end:${action.id}`;
    case "resizeContainer":
      return `resize:${action.id}`;
    case "preStop":
      return `preStop:${action.id}`;
    case "deleteObject":
    case "forget":
      return "object";
    default:
      return action satisfies never;
  }
}

export interface PodPlan {
  readonly actions: readonly Action[];
  readonly status: PodStatus;
  /** Keys of running actions that have lost their purpose. */
  readonly cancel: readonly string[];
  /** Look again at this time even if nothing happens. */
  readonly wakeAtMs?: number;
  /** The pod is on its way out: remember since when. */
  readonly stopping: boolean;
  /** Newly decided by this plan; to be remembered. */
  readonly ended?: Ended;
  /** Containers that wait before the next start, with the id of the one that failed. */
  readonly crashLoops: readonly { readonly name: string; readonly containerId: string }[];
}
