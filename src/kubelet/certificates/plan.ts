// Decisions about a kubelet's certificates: are they good, when are they renewed, and what a request for one is called.
import { createHash } from "node:crypto";
import type { DistinguishedName, Random } from "#base";

/** A certificate and its key, PEM. */
export interface Certificate {
  readonly certificate: string;
  readonly key: string;
}

export const nodeSubject = (nodeName: string): DistinguishedName => ({
  commonName: `system:node:${nodeName}`,
  organizations: ["system:nodes"],
});

export const clientUsages = ["digital signature", "client auth"];
export const servingUsages = ["digital signature", "server auth"];

/**
 * What to reach the API server with. "ask": with the bootstrap kubeconfig for a certificate. Undefined: there is nothing to begin with.
 * `endsMs`: of the certificate that the kubeconfig refers to; absent where there is no kubeconfig or no certificate in it.
 */
export function planCredentials(found: {
  readonly hasKubeconfig: boolean;
  readonly endsMs: number | undefined;
  readonly hasBootstrap: boolean;
  readonly nowMs: number;
}): "use" | "ask" | undefined {
  const isGood = found.endsMs !== undefined && found.endsMs > found.nowMs;
  if (found.hasKubeconfig && (isGood || !found.hasBootstrap)) return "use";
  return found.hasBootstrap ? "ask" : undefined;
}

/** A time between 70 and 90 % of the certificate's life, as upstream: many nodes that were made together do not ask together. */
export const renewalAtMs = (validity: { readonly fromMs: number; readonly toMs: number }, random: Random): number =>
  validity.fromMs + (validity.toMs - validity.fromMs) * (0.7 + 0.2 * random.float());

/** The same for the same key: a kubelet that is restarted while it waits finds its request again. */
export function requestName(publicKey: Buffer, subject: DistinguishedName, usages: readonly string[]): string {
  const digest = createHash("sha512-256")
    .update(publicKey)
    .update(JSON.stringify([subject, usages]));
  return `node-csr-${digest.digest("base64url")}`;
}
