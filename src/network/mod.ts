// The front door of `network`.
export { addressAt, contains, parseRange, type Range } from "./address.ts";
export { type CniConfigOptions, cniConfig } from "./cni-config.ts";
export { type PodNetwork, type PodNetworkOptions, setUpPodNetwork } from "./host.ts";
export { type Lab, type LabNode, type LabOptions, setUpLab } from "./lab.ts";
export {
  type NetworkPolicyDeps,
  type NetworkPolicyOptions,
  type RunningNetworkPolicy,
  startNetworkPolicy,
} from "./policy/agent.ts";
