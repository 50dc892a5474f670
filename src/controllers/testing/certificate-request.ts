// For this room's tests: a certificate request as a kubelet makes it, and the conditions it may have.
import { generateKeyPairSync } from "node:crypto";
import type { CertificateSigningRequest } from "#api";
import { type AlternativeNames, type DistinguishedName, noNames, writeRequest } from "#base";

export const requestKey = generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey;
export const kubelet: DistinguishedName = { commonName: "system:node:n1", organizations: ["system:nodes"] };

export interface RequestChanges extends Partial<Omit<CertificateSigningRequest["spec"], "request">> {
  readonly name?: string;
  readonly subject?: DistinguishedName;
  readonly names?: AlternativeNames;
  readonly status?: CertificateSigningRequest["status"];
}

/** By default: a new node asks for its client certificate. */
export function certificateRequest(changes: RequestChanges = {}): CertificateSigningRequest {
  const { name = "csr", subject = kubelet, names = noNames, status = {}, ...spec } = changes;
  return {
    metadata: { name },
    spec: {
      request: Buffer.from(writeRequest(requestKey, subject, names)).toString("base64"),
      signerName: "kubernetes.io/kube-apiserver-client-kubelet",
      usages: ["digital signature", "client auth"],
      username: "system:bootstrap:abcdef",
      groups: ["system:bootstrappers", "system:authenticated"],
      ...spec,
    },
    status,
  };
}

export const decided = (...types: readonly string[]): NonNullable<CertificateSigningRequest["status"]> => ({
  conditions: types.map((type) => ({ type, status: "True", lastUpdateTime: "2026-01-01T00:00:00Z" })),
});
