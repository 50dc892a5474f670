// Certificate requests (PKCS #10, RFC 2986): what is asked for, and by whoever holds the key.
import { createPublicKey, type KeyObject, verify } from "node:crypto";
import {
  bitString,
  context,
  DerError,
  element,
  elementsOf,
  expect,
  objectIdentifier,
  octetString,
  readBitString,
  readElement,
  readObjectIdentifier,
  sequence,
  setOf,
  tags,
  unsignedInteger,
} from "./der.ts";
import {
  type AlternativeNames,
  type DistinguishedName,
  isEmptyNames,
  noNames,
  readAlternativeNames,
  readName,
  writeAlternativeNames,
  writeName,
} from "./name.ts";
import { readPem, writePem } from "./pem.ts";
import { digestOf, publicKeyBytes, signatureAlgorithm, signBytes } from "./signature.ts";

export interface CertificateRequest {
  readonly subject: DistinguishedName;
  readonly names: AlternativeNames;
  /** SubjectPublicKeyInfo, DER. */
  readonly publicKey: Buffer;
  /** Whether it is signed with the key that it asks a certificate for. */
  isSigned(): boolean;
}

const extensionRequest = "1.2.840.113549.1.9.14";
export const subjectAlternativeName = "2.5.29.17";

/** From DER. Throws DerError where it is none. */
export function readRequest(der: Buffer): CertificateRequest {
  const outer = readElement(der);
  if (outer.bytes.length !== der.length && outer.tag === tags.sequence) throw new DerError("syntax error: trailing data");
  if (outer.tag !== tags.sequence) throw new TagMismatch(outer.tag, outer.content.length);
  const [info, algorithm, signature] = elementsOf(outer.content);
  const body = expect(info, tags.sequence, "certificationRequestInfo");
  const [version, subject, publicKey, ...rest] = elementsOf(body.content);
  expect(version, tags.integer, "version");
  const signatureId = expect(
    elementsOf(expect(algorithm, tags.sequence, "signatureAlgorithm").content)[0],
    tags.objectIdentifier,
    "algorithm",
  );
  const bits = readBitString(expect(signature, tags.bitString, "signature"));
  const key = expect(publicKey, tags.sequence, "subjectPublicKeyInfo").bytes;
  const attributes = rest.find(({ tag }) => tag === context(0));
  return {
    subject: readName(expect(subject, tags.sequence, "subject").bytes),
    names: attributes === undefined ? noNames : askedNames(elementsOf(attributes.content)),
    publicKey: key,
    isSigned: () => {
      try {
        return verify(
          digestOf(readObjectIdentifier(signatureId)),
          body.bytes,
          createPublicKey({ key, format: "der", type: "spki" }),
          bits,
        );
      } catch {
        return false; // an algorithm or a key that nobody here knows
      }
    },
  };
}

/** The first element of a request is of another kind: upstream's text names what it found. */
export class TagMismatch extends DerError {
  constructor(tag: number, length: number) {
    const [kind, isCompound] = [tag >> 6, (tag & 0x20) !== 0];
    super(
      `structure error: tags don't match (16 vs {class:${kind} tag:${tag & 0x1f} length:${length} isCompound:${isCompound}}) ` +
        "{optional:false explicit:false application:false private:false defaultValue:<nil> tag:<nil> stringType:0 timeType:0 set:false omitEmpty:false} certificateRequest @2",
    );
  }
}

function askedNames(attributes: readonly { readonly content: Buffer }[]): AlternativeNames {
  for (const attribute of attributes) {
    const [type, values] = elementsOf(attribute.content);
    if (readObjectIdentifier(expect(type, tags.objectIdentifier, "attribute type")) !== extensionRequest) continue;
    const [extensions] = elementsOf(expect(values, tags.set, "attribute values").content);
    for (const extension of elementsOf(expect(extensions, tags.sequence, "extensions").content)) {
      const fields = elementsOf(expect(extension, tags.sequence, "extension").content);
      if (readObjectIdentifier(expect(fields[0], tags.objectIdentifier, "extension type")) !== subjectAlternativeName) continue;
      return readAlternativeNames(expect(fields.at(-1), tags.octetString, "extension value").content);
    }
  }
  return noNames;
}

/** From the first PEM block of a text. Throws where that is none, or is of another kind. */
export function readRequestPem(text: string): CertificateRequest {
  const block = readPem(text)[0];
  if (block?.label !== "CERTIFICATE REQUEST") throw new Error("PEM block type must be CERTIFICATE REQUEST");
  return readRequest(block.bytes);
}

/** PEM, signed with the key that the certificate is for. */
export function writeRequest(key: KeyObject, subject: DistinguishedName, names: AlternativeNames = noNames): string {
  const extensions = sequence(sequence(objectIdentifier(subjectAlternativeName), octetString(writeAlternativeNames(names))));
  const attributes = isEmptyNames(names) ? [] : [sequence(objectIdentifier(extensionRequest), setOf([extensions]))];
  const body = sequence(
    unsignedInteger(Buffer.from([0])),
    writeName(subject),
    publicKeyBytes(key),
    element(context(0), ...attributes),
  );
  return writePem("CERTIFICATE REQUEST", sequence(body, signatureAlgorithm(key), bitString(signBytes(key, body))));
}
