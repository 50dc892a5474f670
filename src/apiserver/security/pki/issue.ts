// Makes certificates (EC P-256, X.509 v3). Loads the X.509 library on first use only: a start with all files in place never pays for it.
import { createPrivateKey, webcrypto } from "node:crypto";
import type { Clock, Random } from "#base";
import { isAddress } from "../allocation/addresses.ts";

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

const ecKey = { name: "ECDSA", namedCurve: "P-256" } as const;

async function library(): Promise<typeof import("@peculiar/x509")> {
  await import("reflect-metadata"); // @peculiar/x509 throws without it
  const x509 = await import("@peculiar/x509");
  x509.cryptoProvider.set(webcrypto as Crypto);
  return x509;
}

/** A self-signed authority; with `key` the same key gets a new certificate, so that what it has signed stays valid. */
export async function issueAuthority(commonName: string, deps: IssuerDeps, key?: string): Promise<KeyPair> {
  const x509 = await library();
  const keys = key === undefined ? await newKeys() : await keysOf(key);
  const now = deps.clock.now();
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: serialNumber(deps.random),
    name: [{ CN: [commonName] }],
    notBefore: new Date(now - backdateMs),
    notAfter: new Date(now + caValidityMs),
    signingAlgorithm: signingAlgorithm(keys.privateKey),
    keys,
    extensions: [
      new x509.BasicConstraintsExtension(true, undefined, true),
      new x509.KeyUsagesExtension(
        x509.KeyUsageFlags.digitalSignature | x509.KeyUsageFlags.keyEncipherment | x509.KeyUsageFlags.keyCertSign,
        true,
      ),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
      new x509.SubjectAlternativeNameExtension([{ type: "dns", value: commonName }]),
    ],
  });
  return { certificate: pem(certificate.toString("pem")), key: key ?? (await keyToPem(keys.privateKey)) };
}

/** A new key and a certificate for it, signed by `authority`. */
export async function issueCertificate(authority: KeyPair, request: CertificateRequest, deps: IssuerDeps): Promise<KeyPair> {
  const x509 = await library();
  const issuer = new x509.X509Certificate(authority.certificate);
  const signingKey = (await keysOf(authority.key)).privateKey;
  const keys = await newKeys();
  const now = deps.clock.now();
  const names = (request.alternativeNames ?? []).map((value) => ({
    type: isAddress(value) ? ("ip" as const) : ("dns" as const),
    value,
  }));
  const usages = { server: x509.ExtendedKeyUsage.serverAuth, client: x509.ExtendedKeyUsage.clientAuth };
  const certificate = await x509.X509CertificateGenerator.create({
    serialNumber: serialNumber(deps.random),
    subject: [...(request.organizations ?? []).map((organization) => ({ O: [organization] })), { CN: [request.commonName] }],
    issuer: issuer.subjectName,
    notBefore: new Date(now - backdateMs),
    // A certificate never outlives its authority: clients would refuse it on a day nobody expects.
    notAfter: new Date(Math.min(now + request.validityMs, issuer.notAfter.getTime())),
    signingAlgorithm: signingAlgorithm(signingKey),
    publicKey: keys.publicKey,
    signingKey,
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension(request.usages.map((usage) => usages[usage])),
      await x509.AuthorityKeyIdentifierExtension.create(issuer),
      ...(names.length === 0 ? [] : [new x509.SubjectAlternativeNameExtension(names)]),
    ],
  });
  return { certificate: pem(certificate.toString("pem")), key: await keyToPem(keys.privateKey) };
}

// 127 random bits: positive and, for a certificate authority that lives ten years, unique.
function serialNumber(random: Random): string {
  const bytes = random.bytes(16);
  bytes[0] = ((bytes[0] as number) & 0x7f) | 0x40; // 16 bytes were asked for; the top bits keep the DER length fixed
  return Buffer.from(bytes).toString("hex");
}

const newKeys = (): Promise<webcrypto.CryptoKeyPair> =>
  webcrypto.subtle.generateKey(ecKey, true, ["sign", "verify"]) as Promise<webcrypto.CryptoKeyPair>;

/** Reads a PEM key; authorities that an operator brings along may be RSA. */
async function keysOf(key: string): Promise<webcrypto.CryptoKeyPair> {
  const { createPublicKey } = await import("node:crypto");
  const object = createPrivateKey(key);
  const algorithm =
    object.asymmetricKeyType === "rsa"
      ? { name: "RSASSA-PKCS1-v1_5", hash: "SHA-256" }
      : { name: "ECDSA", namedCurve: curveName(object.asymmetricKeyDetails?.namedCurve) };
  return {
    privateKey: object.toCryptoKey(algorithm, true, ["sign"]) as CryptoKey,
    publicKey: createPublicKey(object).toCryptoKey(algorithm, true, ["verify"]) as CryptoKey,
  };
}

const curveName = (openssl: string | undefined): string =>
  openssl === "secp384r1" ? "P-384" : openssl === "secp521r1" ? "P-521" : "P-256";

const signingAlgorithm = (key: CryptoKey): { name: string; hash: string } | { name: string } =>
  key.algorithm.name === "ECDSA" ? { name: "ECDSA", hash: "SHA-256" } : { name: key.algorithm.name };

async function keyToPem(key: CryptoKey): Promise<string> {
  const der = Buffer.from(await webcrypto.subtle.exportKey("pkcs8", key));
  return pem(
    `-----BEGIN PRIVATE KEY-----\n${(der.toString("base64").match(/.{1,64}/g) ?? []).join("\n")}\n-----END PRIVATE KEY-----`,
  );
}

const pem = (text: string): string => (text.endsWith("\n") ? text : `${text}\n`);
