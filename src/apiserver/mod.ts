// The front door of `apiserver`.
export type * from "./contract.ts";
export {
  type AuditLogOptions,
  createAuditLog,
  ensurePki,
  issueAuthority,
  issueCertificate,
  type KeyPair,
  newServiceAccountKey,
  type Pki,
  type PkiOptions,
} from "./security/mod.ts";
export { type ApiServerDeps, type ApiServerOptions, type ListenOptions, type RunningApiServer, startApiServer } from "./start.ts";
