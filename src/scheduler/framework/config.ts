// KubeSchedulerConfiguration v1: what a user may set, with upstream's defaults.

export interface PluginChoice {
  readonly name: string;
  /** Of a score plugin; 0 or absent means its default. */
  readonly weight?: number;
}

export interface PluginSet {
  readonly enabled?: readonly PluginChoice[];
  /** "*" disables all that would be there by default. */
  readonly disabled?: readonly PluginChoice[];
}

export const extensionPoints = [
  "preEnqueue",
  "queueSort",
  "preFilter",
  "filter",
  "postFilter",
  "preScore",
  "score",
  "reserve",
  "permit",
  "preBind",
  "bind",
  "postBind",
] as const;
export type ExtensionPoint = (typeof extensionPoints)[number];

export interface ProfileConfiguration {
  readonly schedulerName?: string;
  readonly percentageOfNodesToScore?: number;
  readonly plugins?: { readonly [Point in ExtensionPoint | "multiPoint"]?: PluginSet };
  readonly pluginConfig?: readonly { readonly name: string; readonly args?: Readonly<Record<string, unknown>> }[];
}

/** The fields of `kubescheduler.config.k8s.io/v1` that have a meaning here; `extenders` are refused until they work. */
export interface SchedulerConfiguration {
  readonly profiles?: readonly ProfileConfiguration[];
  /** 0 or absent: adaptive. */
  readonly percentageOfNodesToScore?: number;
  readonly podInitialBackoffSeconds?: number;
  readonly podMaxBackoffSeconds?: number;
  readonly extenders?: readonly unknown[];
}

export const defaultSchedulerName = "default-scheduler";

/** The plugins of every profile unless it says otherwise, in the order in which they run. */
export const defaultPlugins: readonly PluginChoice[] = [
  { name: "SchedulingGates" },
  { name: "PrioritySort" },
  { name: "NodeUnschedulable" },
  { name: "NodeName" },
  { name: "TaintToleration", weight: 3 },
  { name: "NodeAffinity", weight: 2 },
  { name: "NodePorts" },
  { name: "NodeResourcesFit", weight: 1 },
  { name: "VolumeBinding" },
  { name: "PodTopologySpread", weight: 2 },
  { name: "InterPodAffinity", weight: 2 },
  { name: "DynamicResources" },
  { name: "DefaultPreemption" },
  { name: "NodeResourcesBalancedAllocation", weight: 1 },
  { name: "ImageLocality", weight: 1 },
  { name: "DefaultBinder" },
];
