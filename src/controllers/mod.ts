// The front door of `controllers`: close the gap between desired and actual state.
export type { ControllerEntry, ControllerOptions } from "./context.ts";
export { controllerMetrics } from "./metrics.ts";
export { defaultOptions } from "./options.ts";
export { controllers } from "./registry.ts";
export { type ControllersDeps, startControllers } from "./start.ts";
