// Makes the certificates of a cluster: its authorities, and what they sign for its components (EC P-256, X.509 v3).
import { createPrivateKey, generateKeyPair, type KeyObject } from "node:crypto";
import { promisify } from "node:util";
import { type Clock, namesOf, publicKeyBytes, type Random, readIssuer, writeCertificate } from "#base";

/** A certificate and its private key (PKCS #8), both PEM. */
export interface KeyPair {
  readonly certificate: string;
  readonly key: string;
}

export interface CertificateRequest {
  readonly commonName: string;
  readonly organizations?: readonly string[];
  readonly usages: readonly ("server" | "client")[];
  /** DNS names and IP addresses. */
  readonly alternativeNames?: readonly string[];
  readonly validityMs: number;
}

export interface IssuerDeps {
  readonly clock: Clock;
  readonly random: Random;
}

const dayMs = 24 * 3600 * 1000;
/** kubeadm's validity periods. */
const caValidityMs = 3650 * dayMs;
export const leafValidityMs = 365 * dayMs;
// A peer whose clock is a little behind must still accept a certificate that was made a moment ago.
const backdateMs = 5 * 60 * 1000;

/** A self-signed authority; with `key` the same key gets a new certificate, so that what it has signed stays valid. */
export async function issueAuthority(commonName: string, { clock, random }: IssuerDeps, key?: string): Promise<KeyPair> {
  const privateKey = key === undefined ? await newKey() : createPrivateKey(key);
  const now = clock.now();
  const certificate = writeCertificate(
    {
      serialNumber: serialNumber(random),
      subject: { commonName },
      names: namesOf([commonName]),
      publicKey: publicKeyBytes(privateKey),
      notBeforeMs: now - backdateMs,
      notAfterMs: now + caValidityMs,
      keyUsages: ["digitalSignature", "keyEncipherment", "certSign"],
      purposes: [],
      isAuthority: true,
    },
    { key: privateKey },
  );
  return { certificate, key: key ?? keyToPem(privateKey) };
}

/** A new key and a certificate for it, signed by `authority`. */
export async function issueCertificate(
  authority: KeyPair,
  request: CertificateRequest,
  { clock, random }: IssuerDeps,
): Promise<KeyPair> {
  const issuer = readIssuer(authority.certificate, authority.key);
  const key = await newKey();
  const now = clock.now();
  const purposes = { server: "serverAuth", client: "clientAuth" } as const;
  const certificate = writeCertificate(
    {
      serialNumber: serialNumber(random),
      subject: { commonName: request.commonName, organizations: request.organizations ?? [] },
      names: namesOf(request.alternativeNames ?? []),
      publicKey: publicKeyBytes(key),
      notBeforeMs: now - backdateMs,
      // A certificate never outlives its authority: clients would refuse it on a day nobody expects.
      notAfterMs: Math.min(now + request.validityMs, issuer.notAfterMs),
      keyUsages: ["digitalSignature"],
      purposes: request.usages.map((usage) => purposes[usage]),
      isAuthority: false,
    },
    issuer,
  );
  return { certificate, key: keyToPem(key) };
}

// 127 random bits: positive and, for a certificate authority that lives ten years, unique.
function serialNumber(random: Random): Uint8Array {
  const bytes = random.bytes(16);
  bytes[0] = ((bytes[0] as number) & 0x7f) | 0x40; // 16 bytes were asked for; the top bits keep the DER length fixed
  return bytes;
}

const newKey = async (): Promise<KeyObject> => (await promisify(generateKeyPair)("ec", { namedCurve: "P-256" })).privateKey;

const keyToPem = (key: KeyObject): string => key.export({ type: "pkcs8", format: "pem" }).toString();
