// The front door of `dns`.
export { parseResolvConf, type ResolverConfig } from "./resolv-conf.ts";
export { type DnsDeps, type DnsOptions, type RunningDns, startDns } from "./server.ts";
