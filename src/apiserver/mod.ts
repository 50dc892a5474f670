// The front door of `apiserver`.
export type * from "./contract.ts";
export { type ApiServerDeps, type ApiServerOptions, type RunningApiServer, startApiServer } from "./start.ts";
export { ensurePki, kubeconfigFor, type KubeconfigOptions, type KeyPair, newServiceAccountKey, type Pki, type PkiOptions, writeKubeconfig } from "./security/mod.ts";
