// The front door of the installed package: a cluster inside a program. The resources and their types are in `tiphys/api`, informers and work queues
// for operators in `tiphys/client`.
export { type Cluster, type ClusterOptions, createCluster } from "./create-cluster.ts";
export type { FaultRule, Faults } from "./faults.ts";
