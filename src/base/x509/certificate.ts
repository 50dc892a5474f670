// Certificates (X.509 v3, RFC 5280): what an authority says of a key, signed.
import { createHash, createPrivateKey, type KeyObject, X509Certificate } from "node:crypto";
import {
  bitString,
  boolean,
  context,
  element,
  elementsOf,
  expect,
  objectIdentifier,
  octetString,
  readBitString,
  readObjectIdentifier,
  readOnly,
  sequence,
  tags,
  time,
  unsignedInteger,
} from "./der.ts";
import { type AlternativeNames, type DistinguishedName, isEmptyNames, writeAlternativeNames, writeName } from "./name.ts";
import { readPem, writePem } from "./pem.ts";
import { subjectAlternativeName } from "./request.ts";
import { signatureAlgorithm, signBytes } from "./signature.ts";

/** In the order of their bits. */
const keyUsageNames = [
  "digitalSignature",
  "contentCommitment",
  "keyEncipherment",
  "dataEncipherment",
  "keyAgreement",
  "certSign",
  "crlSign",
  "encipherOnly",
  "decipherOnly",
] as const;
export type KeyUsage = (typeof keyUsageNames)[number];

const purposes = {
  any: "2.5.29.37.0",
  serverAuth: "1.3.6.1.5.5.7.3.1",
  clientAuth: "1.3.6.1.5.5.7.3.2",
  codeSigning: "1.3.6.1.5.5.7.3.3",
  emailProtection: "1.3.6.1.5.5.7.3.4",
  ipsecEndSystem: "1.3.6.1.5.5.7.3.5",
  ipsecTunnel: "1.3.6.1.5.5.7.3.6",
  ipsecUser: "1.3.6.1.5.5.7.3.7",
  timeStamping: "1.3.6.1.5.5.7.3.8",
  ocspSigning: "1.3.6.1.5.5.7.3.9",
  microsoftServerGatedCrypto: "1.3.6.1.4.1.311.10.3.3",
  netscapeServerGatedCrypto: "2.16.840.1.113730.4.1",
} as const;
export type Purpose = keyof typeof purposes;

export interface CertificateTemplate {
  /** 1 to 20 octets, as an unsigned number. */
  readonly serialNumber: Uint8Array;
  readonly subject: DistinguishedName;
  readonly names: AlternativeNames;
  /** SubjectPublicKeyInfo, DER. */
  readonly publicKey: Uint8Array;
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
  readonly keyUsages: readonly KeyUsage[];
  readonly purposes: readonly Purpose[];
  readonly isAuthority: boolean;
}

/** Who signs: an authority's certificate and key as PEM, read once. */
export interface Issuer {
  readonly subject: Buffer;
  readonly keyIdentifier: Buffer | undefined;
  readonly notAfterMs: number;
  readonly key: KeyObject;
}

/** Throws where one of the two cannot be read, or they do not belong together. */
export function readIssuer(certificate: string, key: string): Issuer {
  const parsed = new X509Certificate(certificate);
  const privateKey = createPrivateKey(key);
  if (!parsed.checkPrivateKey(privateKey))
    throw new Error("Cannot sign with this authority: its key belongs to another certificate");
  const fields = fieldsOf(parsed.raw);
  const extensions = fields.find(({ tag }) => tag === context(3));
  return {
    subject: expect(fields[4], tags.sequence, "subject").bytes,
    keyIdentifier: extensions === undefined ? undefined : keyIdentifierIn(extensions.content),
    notAfterMs: parsed.validToDate.getTime(),
    key: privateKey,
  };
}

/** serialNumber, signature, issuer, validity, subject, key, ...: what is signed, without the version. */
function fieldsOf(der: Buffer): ReturnType<typeof elementsOf> {
  const [body] = elementsOf(readOnly(der).content);
  const fields = elementsOf(expect(body, tags.sequence, "tbsCertificate").content);
  return fields[0]?.tag === context(0) ? fields.slice(1) : fields;
}

const ids = {
  subjectKeyIdentifier: "2.5.29.14",
  keyUsage: "2.5.29.15",
  basicConstraints: "2.5.29.19",
  authorityKeyIdentifier: "2.5.29.35",
  extendedKeyUsage: "2.5.29.37",
};

function keyIdentifierIn(content: Buffer): Buffer | undefined {
  for (const extension of elementsOf(expect(elementsOf(content)[0], tags.sequence, "extensions").content)) {
    const fields = elementsOf(extension.content);
    if (readObjectIdentifier(expect(fields[0], tags.objectIdentifier, "extension type")) !== ids.subjectKeyIdentifier) continue;
    return expect(
      readOnly(expect(fields.at(-1), tags.octetString, "extension value").content),
      tags.octetString,
      "key identifier",
    ).content;
  }
  return undefined;
}

/** PEM. Without an issuer the certificate is signed by the key that it is for. */
export function writeCertificate(template: CertificateTemplate, issuer: Issuer | { readonly key: KeyObject }): string {
  const subject = writeName(template.subject);
  const algorithm = signatureAlgorithm(issuer.key);
  const own = keyIdentifierOf(template.publicKey);
  const authority = "subject" in issuer ? issuer.keyIdentifier : undefined;
  const { names } = template;
  const extension = (id: string, critical: boolean, value: Buffer): Buffer =>
    sequence(objectIdentifier(id), ...(critical ? [boolean(true)] : []), octetString(value));
  const extensions = [
    ...(template.keyUsages.length === 0 ? [] : [extension(ids.keyUsage, true, keyUsageBits(template.keyUsages))]),
    ...(template.purposes.length === 0
      ? []
      : [
          extension(
            ids.extendedKeyUsage,
            false,
            sequence(...template.purposes.map((purpose) => objectIdentifier(purposes[purpose]))),
          ),
        ]),
    extension(ids.basicConstraints, true, sequence(...(template.isAuthority ? [boolean(true)] : []))),
    ...(template.isAuthority ? [extension(ids.subjectKeyIdentifier, false, octetString(own))] : []),
    ...(authority === undefined
      ? []
      : [extension(ids.authorityKeyIdentifier, false, sequence(element(context(0, false), authority)))]),
    // without a subject the other names are all there is
    ...(isEmptyNames(names) ? [] : [extension(subjectAlternativeName, subject.length === 2, writeAlternativeNames(names))]),
  ];
  const body = sequence(
    element(context(0), unsignedInteger(Buffer.from([2]))),
    unsignedInteger(template.serialNumber),
    algorithm,
    "subject" in issuer ? issuer.subject : subject,
    sequence(time(template.notBeforeMs), time(template.notAfterMs)),
    subject,
    template.publicKey,
    element(context(3), sequence(...extensions)),
  );
  return writePem("CERTIFICATE", sequence(body, algorithm, bitString(signBytes(issuer.key, body))));
}

/** RFC 5280's first method: SHA-1 of the key's bits; it names, it does not protect. */
function keyIdentifierOf(publicKey: Uint8Array): Buffer {
  const bits = readBitString(expect(elementsOf(readOnly(Buffer.from(publicKey)).content)[1], tags.bitString, "public key"));
  return createHash("sha1").update(bits).digest();
}

function keyUsageBits(usages: readonly KeyUsage[]): Buffer {
  const bits = keyUsageNames.map((name) => usages.includes(name));
  const last = bits.lastIndexOf(true);
  const octets = Buffer.alloc(Math.floor(last / 8) + 1);
  for (const [index, isSet] of bits.entries()) if (isSet) octets[index >> 3] = (octets[index >> 3] ?? 0) | (0x80 >> (index & 7));
  return bitString(octets, 7 - (last & 7));
}

export const isCertificate = (der: Buffer): boolean => endOf(der) !== undefined;

/** When the first certificate of a PEM text ends; undefined where there is none that can be read. */
export function certificateEndMs(pem: string): number | undefined {
  const block = readPem(pem).find(({ label }) => label === "CERTIFICATE");
  return block === undefined ? undefined : endOf(block.bytes);
}

function endOf(der: Buffer): number | undefined {
  try {
    return new X509Certificate(der).validToDate.getTime();
  } catch {
    return undefined;
  }
}
