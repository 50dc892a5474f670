// The front door of `cluster`, and of the package: a cluster as a library, and the wiring of the programs.
export type { Explanation, NodeExplanation } from "#scheduler";
export { createBootstrapToken } from "./bootstrap-token.ts";
export { type ComponentUrls, componentUrlsPath } from "./component-ports.ts";
export { type Cluster, type ClusterOptions, createCluster } from "./create-cluster.ts";
export { type EtcdAccess, etcdAccessPath } from "./etcd-server.ts";
export type { FaultRule, Faults } from "./faults.ts";
export { createNamespace, type Isolation } from "./isolated-namespace.ts";
export { runDirectoryOf } from "./node-runtime.ts";
export { type UpOptions, upOptions } from "./options.ts";
export type { Program, ProgramDeps } from "./programs/program.ts";
export { programs } from "./programs/registry.ts";
export { decideShape, defaultDataDir, type Machine } from "./shape.ts";
export { isReady, type RunningUp, type Shape, type UpDeps, up } from "./up.ts";
