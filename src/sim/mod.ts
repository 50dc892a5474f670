// The front door of `sim`: nodes whose containers only pretend.
export { type RunningSimNodes, type SimNodesDeps, type SimNodesOptions, startSimNodes } from "./nodes.ts";
export { annotationPrefix, parseDuration } from "./program.ts";
export { simulatedProbes } from "./probes.ts";
export { pullErrorMarker, type SimulatedRuntime, simulatedRuntime, type SimulatedRuntimeDeps, type SimulatedRuntimeOptions } from "./runtime.ts";
