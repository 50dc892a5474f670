// What to do with an approved certificate request: sign it, say why not, or leave it to others.
import type { CertificateSigningRequest } from "#api";
import { type CertificateRequest, type CertificateTemplate, type KeyUsage, type Purpose, readRequestPem } from "#base";
import {
  hasFailed,
  isApproved,
  isIssued,
  kubeletClientProblem,
  kubeletServingProblem,
  signers,
} from "../shared/certificate-requests.ts";

export type SigningPlan =
  | { readonly do: "nothing" }
  /** A condition Failed with this message: the signer will never sign it. */
  | { readonly do: "fail"; readonly message: string }
  | { readonly do: "sign"; readonly template: Omit<CertificateTemplate, "serialNumber"> };

export interface SigningLimits {
  readonly nowMs: number;
  /** Upstream's --cluster-signing-duration: no certificate lasts longer. */
  readonly durationMs: number;
  /** When the authority's own certificate ends. */
  readonly authorityEndsMs: number;
}

const backdateMs = 5 * 60_000;
/** Twice the backdating: what is shorter would be over before it is used. */
const shortestMs = 10 * 60_000;
/** Five minutes are a hundredth of it: only what lasts longer pays for the backdating at its end. */
const shortLivedMs = 8 * 3_600_000;

/** Throws where the request cannot be read or its signature is wrong: both were checked by nobody before. */
export function planSigning(request: CertificateSigningRequest, limits: SigningLimits): SigningPlan {
  const { signerName, usages = [], expirationSeconds } = request.spec;
  const problemOf = rules[signerName];
  if (problemOf === undefined || isIssued(request) || !isApproved(request) || hasFailed(request)) return { do: "nothing" };
  const asked = readRequestPem(Buffer.from(request.spec.request, "base64").toString("latin1"));
  const message = problemOf(asked, usages);
  if (message !== undefined) return { do: "fail", message };
  if (!asked.isSigned()) throw new Error("error auto signing csr: unable to verify certificate request signature");
  const lastsMs = lifetimeMs(expirationSeconds, limits.durationMs);
  const endsMs = limits.nowMs + (lastsMs < shortLivedMs ? lastsMs : lastsMs - backdateMs);
  return {
    do: "sign",
    template: {
      subject: asked.subject,
      names: asked.names,
      publicKey: asked.publicKey,
      notBeforeMs: limits.nowMs - backdateMs,
      notAfterMs: Math.min(endsMs, limits.authorityEndsMs),
      keyUsages: [...new Set(usages.flatMap((usage) => keyUsages[usage] ?? []))],
      purposes: allPurposes.filter((purpose) => usages.some((usage) => purposes[usage] === purpose)),
      isAuthority: false,
    },
  };
}

const lifetimeMs = (expirationSeconds: number | undefined, durationMs: number): number =>
  expirationSeconds === undefined ? durationMs : Math.min(durationMs, Math.max(shortestMs, expirationSeconds * 1000));

type Rule = (asked: CertificateRequest, usages: readonly string[]) => string | undefined;

/** By signer: why it does not sign, in upstream's words. Other signers are somebody else's. */
const rules: Readonly<Record<string, Rule>> = {
  [signers.client]: (_asked, usages) => {
    const other = usages.find((usage) => !["digital signature", "key encipherment", "client auth"].includes(usage));
    if (other !== undefined) return `invalid usage for client certificate: ${other}`;
    return usages.includes("client auth") ? undefined : "missing required usage for client certificate: client auth";
  },
  [signers.kubeletClient]: kubeletClientProblem,
  [signers.kubeletServing]: kubeletServingProblem,
  [signers.legacy]: () => undefined,
};

const keyUsages: Readonly<Record<string, KeyUsage>> = {
  signing: "digitalSignature",
  "digital signature": "digitalSignature",
  "content commitment": "contentCommitment",
  "key encipherment": "keyEncipherment",
  "data encipherment": "dataEncipherment",
  "key agreement": "keyAgreement",
  "cert sign": "certSign",
  "crl sign": "crlSign",
  "encipher only": "encipherOnly",
  "decipher only": "decipherOnly",
};

const purposes: Readonly<Record<string, Purpose>> = {
  any: "any",
  "server auth": "serverAuth",
  "client auth": "clientAuth",
  "code signing": "codeSigning",
  "email protection": "emailProtection",
  "s/mime": "emailProtection",
  "ipsec end system": "ipsecEndSystem",
  "ipsec tunnel": "ipsecTunnel",
  "ipsec user": "ipsecUser",
  timestamping: "timeStamping",
  "ocsp signing": "ocspSigning",
  "microsoft sgc": "microsoftServerGatedCrypto",
  "netscape sgc": "netscapeServerGatedCrypto",
};
const allPurposes = [...new Set(Object.values(purposes))];
