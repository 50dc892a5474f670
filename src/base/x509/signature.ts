// How certificates and requests are signed: the algorithm that goes with a key, and its name in X.509.
import { createPublicKey, type KeyObject, sign } from "node:crypto";
import { element, objectIdentifier, sequence } from "./der.ts";

interface Algorithm {
  readonly id: string;
  /** Undefined where the algorithm has its own. */
  readonly digest: string | undefined;
  /** RSA's identifiers carry a NULL. */
  readonly hasNull?: true;
}

const algorithms: Readonly<Record<string, Algorithm>> = {
  rsa: { id: "1.2.840.113549.1.1.11", digest: "sha256", hasNull: true },
  prime256v1: { id: "1.2.840.10045.4.3.2", digest: "sha256" },
  secp384r1: { id: "1.2.840.10045.4.3.3", digest: "sha384" },
  secp521r1: { id: "1.2.840.10045.4.3.4", digest: "sha512" },
  ed25519: { id: "1.3.101.112", digest: undefined },
};

/** Further ones that a request may be signed with. */
const digests: Readonly<Record<string, string | null>> = {
  ...Object.fromEntries(Object.values(algorithms).map(({ id, digest }) => [id, digest ?? null])),
  "1.2.840.113549.1.1.12": "sha384",
  "1.2.840.113549.1.1.13": "sha512",
};

function algorithmOf(key: KeyObject): Algorithm {
  const type = key.asymmetricKeyType === "ec" ? key.asymmetricKeyDetails?.namedCurve : key.asymmetricKeyType;
  const found = algorithms[type ?? ""];
  if (found === undefined)
    throw new Error(`Cannot sign with a key of type "${type}": RSA, P-256, P-384, P-521 and Ed25519 are known`);
  return found;
}

/** The digest of a signature algorithm, null for those that have their own. Throws for one that is unknown or no longer safe. */
export function digestOf(id: string): string | null {
  const digest = digests[id];
  if (digest === undefined) throw new Error(`Cannot verify a signature: algorithm "${id}" is unknown`);
  return digest;
}

/** AlgorithmIdentifier of the signatures that a private key makes. */
export function signatureAlgorithm(key: KeyObject): Buffer {
  const { id, hasNull } = algorithmOf(key);
  return sequence(objectIdentifier(id), ...(hasNull === true ? [element(0x05)] : []));
}

export const signBytes = (key: KeyObject, bytes: Buffer): Buffer => sign(algorithmOf(key).digest ?? null, bytes, key);

/** SubjectPublicKeyInfo of a private or public key. */
export const publicKeyBytes = (key: KeyObject): Buffer =>
  (key.type === "private" ? createPublicKey(key) : key).export({ type: "spki", format: "der" });
