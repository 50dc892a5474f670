// The front door of `sim`: nodes whose containers only pretend.
export type { NodeAnswer, NodeRequest, SimulatedNodeServer } from "./node-server.ts";
export { type RunningSimNodes, type SimNodesDeps, type SimNodesOptions, startSimNodes } from "./nodes.ts";
export { simulatedProbes } from "./probes.ts";
export { annotationPrefix, parseDuration } from "./program.ts";
export {
  pullErrorMarker,
  type SimulatedLog,
  type SimulatedRuntime,
  type SimulatedRuntimeDeps,
  type SimulatedRuntimeOptions,
  simulatedRuntime,
} from "./runtime.ts";
