// The front door of `proxy`.
export {
  cleanUpProxy,
  type ProxyDeps,
  type ProxyMode,
  type ProxyOptions,
  proxyModes,
  type RunningProxy,
  startProxy,
} from "./start.ts";
