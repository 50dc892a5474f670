// The front door of `kubelet`.
export type * from "./runtime.ts";
