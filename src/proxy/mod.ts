// The front door of `proxy`.
export { type ProxyDeps, type ProxyMode, type ProxyOptions, type RunningProxy, startProxy } from "./start.ts";
