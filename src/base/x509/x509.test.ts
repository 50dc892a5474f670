// Certificates and requests: read what openssl writes, and good in its eyes.
import assert from "node:assert/strict";
import { createPrivateKey, generateKeyPairSync, type KeyObject, X509Certificate } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { systemProcesses } from "../system/processes.ts";
import { type CertificateTemplate, certificateEndMs, readIssuer, writeCertificate } from "./certificate.ts";
import { DerError, objectIdentifier, readElement, readObjectIdentifier } from "./der.ts";
import { namesOf, noNames } from "./name.ts";
import { readPem, writePem } from "./pem.ts";
import { readRequest, readRequestPem, writeRequest } from "./request.ts";
import { publicKeyBytes } from "./signature.ts";

const keys: Readonly<Record<string, KeyObject>> = {
  "P-256": generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey,
  "P-384": generateKeyPairSync("ec", { namedCurve: "P-384" }).privateKey,
  "P-521": generateKeyPairSync("ec", { namedCurve: "P-521" }).privateKey,
  RSA: generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey,
  Ed25519: generateKeyPairSync("ed25519").privateKey,
};
const key = keys["P-256"] as KeyObject;
const pkcs8 = (of: KeyObject): string => of.export({ type: "pkcs8", format: "pem" }).toString();

const template = (changes: Partial<CertificateTemplate> = {}): CertificateTemplate => ({
  serialNumber: Buffer.from("8123", "hex"),
  subject: { commonName: "bob", organizations: ["dev", "ops"] },
  names: noNames,
  publicKey: publicKeyBytes(key),
  notBeforeMs: Date.UTC(2026, 0, 1),
  notAfterMs: Date.UTC(2027, 0, 1),
  keyUsages: ["digitalSignature"],
  purposes: ["clientAuth"],
  isAuthority: false,
  ...changes,
});

const authority = (own: KeyObject): string =>
  writeCertificate(
    template({
      subject: { commonName: "ca" },
      publicKey: publicKeyBytes(own),
      keyUsages: ["certSign"],
      purposes: [],
      isAuthority: true,
    }),
    { key: own },
  );

describe("a certificate", () => {
  for (const [name, own] of Object.entries(keys))
    test(`of an authority with a key of type ${name} is verified by Node`, () => {
      const ca = new X509Certificate(authority(own));
      const leaf = new X509Certificate(writeCertificate(template(), readIssuer(ca.toString(), pkcs8(own))));
      assert.ok(leaf.verify(ca.publicKey) && leaf.checkIssued(ca) && ca.ca && !leaf.ca);
      assert.equal(leaf.subject, "O=dev + O=ops\nCN=bob");
      assert.equal(leaf.issuer, "CN=ca");
      assert.deepEqual(leaf.keyUsage, ["1.3.6.1.5.5.7.3.2"]);
      assert.equal(leaf.serialNumber, "8123");
      assert.equal(leaf.validToDate.toISOString(), "2027-01-01T00:00:00.000Z");
    });

  test("carries the other names, and characters beyond ASCII", () => {
    const names = { ...namesOf(["a.example", "10.0.0.1", "fd00::1"]), emails: ["a@b.c"], uris: ["spiffe://x/y"] };
    const made = new X509Certificate(writeCertificate(template({ names, subject: { commonName: "Jürgen" } }), { key }));
    assert.equal(made.subject, "CN=Jürgen");
    assert.equal(
      made.subjectAltName,
      "DNS:a.example, email:a@b.c, IP Address:10.0.0.1, IP Address:FD00:0:0:0:0:0:0:1, URI:spiffe://x/y",
    );
  });

  test("that ends after 2049 has its time in the other form", () => {
    const made = new X509Certificate(writeCertificate(template({ notAfterMs: Date.UTC(2051, 5, 1) }), { key }));
    assert.equal(made.validToDate.toISOString(), "2051-06-01T00:00:00.000Z");
  });

  test("is not signed by an authority whose key is another's", () => {
    assert.throws(() => readIssuer(authority(key), pkcs8(keys["RSA"] as KeyObject)), /its key belongs to another certificate/);
  });

  test("says when it ends; a text without one does not", () => {
    assert.equal(certificateEndMs(writeCertificate(template(), { key })), Date.UTC(2027, 0, 1));
    assert.equal(certificateEndMs("nothing"), undefined);
    assert.equal(certificateEndMs(writePem("CERTIFICATE", Buffer.from([0x30, 0]))), undefined);
  });
});

describe("a request", () => {
  for (const [name, own] of Object.entries(keys))
    test(`signed with a key of type ${name} is read as it was written`, () => {
      const names = namesOf(["n1", "10.0.0.7", "::1"]);
      const found = readRequestPem(writeRequest(own, { commonName: "system:node:n1", organizations: ["system:nodes"] }, names));
      assert.deepEqual(found.subject, { commonName: "system:node:n1", organizations: ["system:nodes"], others: {} });
      assert.deepEqual(found.names, names);
      assert.deepEqual(found.publicKey, publicKeyBytes(own));
      assert.ok(found.isSigned());
    });

  test("that was changed after it was signed is not signed", () => {
    const bytes = Buffer.from(readPem(writeRequest(key, { commonName: "bob" }))[0]?.bytes ?? []);
    bytes[bytes.indexOf("bob")] = "r".charCodeAt(0);
    assert.equal(readRequest(bytes).subject.commonName, "rob");
    assert.equal(readRequest(bytes).isSigned(), false);
  });

  test("signed in a way that is unknown here is not signed", () => {
    const bytes = Buffer.from(readPem(writeRequest(key, { commonName: "bob" }))[0]?.bytes ?? []);
    const ecdsaWithSha256 = objectIdentifier("1.2.840.10045.4.3.2");
    bytes[bytes.lastIndexOf(ecdsaWithSha256) + ecdsaWithSha256.length - 1] = 1; // with SHA-224
    assert.equal(readRequest(bytes).isSigned(), false);
  });

  for (const [name, bytes, expected] of [
    [
      "of another kind",
      [0, 0, 0],
      "asn1: structure error: tags don't match (16 vs {class:0 tag:0 length:0 isCompound:false}) {optional:false explicit:false application:false private:false defaultValue:<nil> tag:<nil> stringType:0 timeType:0 set:false omitEmpty:false} certificateRequest @2",
    ],
    ["of no bytes", [], "asn1: syntax error: data truncated"],
    ["cut short", [0x30, 5, 1], "asn1: syntax error: data truncated"],
    ["with something behind it", [0x30, 0, 0], "asn1: syntax error: trailing data"],
    ["of indefinite length", [0x30, 0x80, 0, 0], "asn1: syntax error: indefinite length found (not DER)"],
    ["with a length in too many octets", [0x30, 0x81, 1, 0], "asn1: structure error: non-minimal length"],
  ] as const)
    test(`${name} is refused`, () => {
      assert.throws(() => readRequest(Buffer.from(bytes)), new DerError(expected.slice("asn1: ".length)));
    });

  test("is the first PEM block of its text, or there is none", () => {
    const good = writeRequest(key, { commonName: "bob" });
    assert.equal(readRequestPem(`Subject: bob\n${good}`).subject.commonName, "bob");
    for (const text of ["", "garbage", `${authority(key)}${good}`])
      assert.throws(() => readRequestPem(text), /PEM block type must be CERTIFICATE REQUEST/);
  });
});

describe("PEM", () => {
  const block = (label: string, inside = "AAAA"): string => `-----BEGIN ${label}-----\n${inside}\n-----END ${label}-----\n`;
  const labels = (text: string): string[] => readPem(text).map(({ label }) => label);

  for (const [name, text, expected] of [
    ["of one kind after the other", `${block("A")}${block("B C")}`, ["A", "B C"]],
    ["between other text", `x\n${block("A").replaceAll("\n", "\r\n")}y`, ["A"]],
    ["without an end", "-----BEGIN A-----\nAAAA\n", []],
    ["with another's end", "-----BEGIN A-----\nAAAA\n-----END B-----\n", []],
    ["begun and begun again", `-----BEGIN A-----\nAAAA\n${block("B")}`, ["B"]],
    ["that are no base64", `${block("A", "AAA")}${block("B", "?")}${block("C")}`, ["C"]],
  ] as const)
    test(`blocks ${name} are ${expected.length} of them`, () => assert.deepEqual(labels(text), expected));

  test("headers are told from the data", () => {
    const [found] = readPem(block("A", "Proc-Type: 4\nB: c\n\nAAAA"));
    assert.deepEqual([found?.hasHeaders, found?.bytes.length], [true, 3]);
  });

  test("many lines that lead nowhere are read once, not once each", () => {
    assert.deepEqual(labels("-----BEGIN A-----\n".repeat(200_000)), []);
    assert.deepEqual(labels(`${"-----BEGIN A-----\n".repeat(200_000)}-----END B-----`), []);
    assert.deepEqual(labels(block("A", "a: b\n".repeat(500_000))), ["A"]);
  });
});

describe("DER", () => {
  test("object identifiers are written as they are read", () => {
    for (const id of ["2.5.4.3", "1.2.840.113549.1.9.14", "2.16.840.1.113730.4.1", "1.3.6.1.4.1.311.10.3.3"])
      assert.equal(readObjectIdentifier(readElement(objectIdentifier(id))), id);
  });
});

test("openssl and this room read each other", async (t) => {
  const version = await systemProcesses.run("openssl", ["version"]).catch(() => undefined);
  if (version === undefined) return t.skip("openssl is not installed");
  const directory = mkdtempSync(join(tmpdir(), "tiphys-x509-"));
  const openssl = async (...words: readonly string[]): Promise<string> => {
    const { code, stdout, stderr } = await systemProcesses.run("openssl", words);
    assert.equal(code, 0, stderr);
    return `${stdout}${stderr}`;
  };
  try {
    for (const [name, algorithm] of [
      ["rsa", "rsa:2048"],
      ["ec", "ec"],
    ]) {
      const file = join(directory, `${name}.pem`);
      const curve = name === "ec" ? ["-pkeyopt", "ec_paramgen_curve:P-256"] : [];
      const out = ["-keyout", `${file}.key`, "-out", file];
      const asked = ["-subj", "/O=dev/O=ops/CN=bob", "-addext", "subjectAltName=DNS:a.b,IP:10.0.0.1,email:x@y.z,URI:urn:a"];
      await openssl("req", "-new", "-nodes", "-newkey", `${algorithm}`, ...curve, ...out, ...asked);
      const found = readRequestPem(readFileSync(file, "utf8"));
      assert.deepEqual(found.subject, { commonName: "bob", organizations: ["dev", "ops"], others: {} });
      assert.deepEqual(found.names, { dns: ["a.b"], addresses: ["10.0.0.1"], emails: ["x@y.z"], uris: ["urn:a"] });
      assert.ok(found.isSigned());
      assert.deepEqual(found.publicKey, publicKeyBytes(createPrivateKey(readFileSync(`${file}.key`))));
    }
    const ours = join(directory, "ours.pem");
    writeFileSync(ours, writeRequest(key, { commonName: "n1", organizations: ["system:nodes"] }, namesOf(["n1", "::1"])));
    assert.match(await openssl("req", "-in", ours, "-verify", "-noout", "-text"), /DNS:n1, IP Address:0:0:0:0:0:0:0:1/);
    const [ca, leaf] = [join(directory, "ca.crt"), join(directory, "leaf.crt")];
    writeFileSync(ca, authority(key));
    const now = Date.now(); // openssl looks at its own clock
    const valid = { notBeforeMs: now - 60_000, notAfterMs: now + 3_600_000 };
    const trusted = writeCertificate(
      template({ ...valid, subject: { commonName: "ca" }, keyUsages: ["certSign"], purposes: [], isAuthority: true }),
      { key },
    );
    writeFileSync(ca, trusted);
    writeFileSync(
      leaf,
      writeCertificate(
        template({ ...valid, keyUsages: ["digitalSignature", "keyEncipherment", "decipherOnly"] }),
        readIssuer(trusted, pkcs8(key)),
      ),
    );
    assert.match(await openssl("verify", "-x509_strict", "-purpose", "sslclient", "-CAfile", ca, leaf), /: OK/);
    assert.match(await openssl("x509", "-in", leaf, "-noout", "-text"), /Digital Signature, Key Encipherment, Decipher Only/);
  } finally {
    rmSync(directory, { recursive: true });
  }
});
