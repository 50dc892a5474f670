// The front of the API server's security: identities, who may do what, what may be written, what is remembered of it.
export type { Allocation } from "./allocation/services.ts";
export { type AuditLogOptions, createAuditLog } from "./audit/log.ts";
export { type Advertised, firstServiceAddress } from "./bootstrap/master-service.ts";
export { issueAuthority, issueCertificate, type KeyPair } from "./pki/issue.ts";
export { ensurePki, newServiceAccountKey, type Pki, type PkiOptions } from "./pki/pki.ts";
export { createSecurity, defaultIssuer, type Security, type SecurityOptions } from "./security.ts";
