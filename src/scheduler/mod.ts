// The front door of `scheduler`: start it, ask it why, and write plugins for it.
export type { ClusterCache } from "./cluster/cache.ts";
export type { NodeState } from "./cluster/node-state.ts";
export type { PodInfo } from "./cluster/pod-info.ts";
export type { Explanation, NodeExplanation } from "./explain.ts";
export {
  defaultPlugins,
  defaultSchedulerName,
  type ProfileConfiguration,
  type SchedulerConfiguration,
} from "./framework/config.ts";
export type { CycleState } from "./framework/cycle-state.ts";
export { parseConfiguration } from "./framework/parse-config.ts";
export type { ClusterEvent, Plugin, PluginEntry, PluginFactory, PluginHandle, Requeue, WaitingPod } from "./framework/plugin.ts";
export { failed, skip, success, unresolvable, unschedulable, type Verdict, wait } from "./framework/verdict.ts";
export { schedulerMetrics } from "./metrics.ts";
export { type RunningScheduler, type SchedulerDeps, type SchedulerOptions, startScheduler } from "./scheduler.ts";
