// Certificate signing requests: what may be asked for and decided.
import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { describe, test } from "node:test";
import { noNames, publicKeyBytes, writeCertificate, writeRequest } from "#base";
import { type FieldError, invalid } from "../errors.ts";
import { certificateRules, validateApproval } from "./certificates.ts";

const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
const request = Buffer.from(writeRequest(privateKey, { commonName: "bob" })).toString("base64");
const rules = certificateRules["certificates.k8s.io/CertificateSigningRequest"];
const pem = (kind: string): string => Buffer.from(`-----BEGIN ${kind}-----\nAA==\n-----END ${kind}-----\n`).toString("base64");
const good = { request, signerName: "example.com/signer", usages: ["client auth"] };

describe("a request", () => {
  for (const [name, change, expected] of [
    ["is taken", {}, []],
    ["must be one", { request: pem("CERTIFICATE") }, ["spec.request: PEM block type must be CERTIFICATE REQUEST"]],
    ["must be one inside as well", { request: pem("CERTIFICATE REQUEST") }, ["spec.request: asn1: syntax error: data truncated"]],
    ["needs a signer", { signerName: "" }, ["spec.signerName: "]],
    [
      "needs a signer with a path",
      { signerName: "nodomain" },
      ["spec.signerName: must be a fully qualified domain and path of the form 'example.com/signer-name'"],
    ],
    [
      "needs a signer with a domain",
      { signerName: "a/b" },
      ["spec.signerName: should be a domain with at least two segments separated by dots"],
    ],
    [
      "needs a signer whose name is not too long",
      { signerName: `${Array(9).fill("d".repeat(63)).join(".")}/${"p.".repeat(50)}p` },
      ["spec.signerName: may not be more than 571 bytes"],
    ],
    [
      "is not for the legacy signer",
      { signerName: "kubernetes.io/legacy-unknown" },
      ["spec.signerName: the legacy signerName is not allowed via this API version"],
    ],
    ["needs a use", { usages: [] }, ["spec.usages: "]],
    ["names each use once", { usages: ["any", "any"] }, ["spec.usages[1]: "]],
    [
      "is for ten minutes at least",
      { expirationSeconds: 599 },
      ["spec.expirationSeconds: may not specify a duration less than 600 seconds (10 minutes)"],
    ],
  ] as const)
    test(name, () => {
      const errors = rules?.validate?.({ metadata: { name: "a" }, spec: { ...good, ...change } }) ?? [];
      assert.deepEqual(
        errors.map(({ field, detail }) => `${field}: ${detail}`),
        expected,
      );
    });
});

const certificate = Buffer.from(
  writeCertificate(
    {
      serialNumber: Buffer.from([1]),
      subject: { commonName: "bob" },
      names: noNames,
      publicKey: publicKeyBytes(privateKey),
      notBeforeMs: 0,
      notAfterMs: 1000,
      keyUsages: [],
      purposes: [],
      isAuthority: false,
    },
    { key: privateKey },
  ),
).toString("base64");
const withHeader = Buffer.from(
  Buffer.from(certificate, "base64").toString().replace("CERTIFICATE-----\n", "CERTIFICATE-----\nA: b\n\n"),
).toString("base64");
const texts = (errors: readonly FieldError[] = []): string[] =>
  (invalid({ group: "", kind: "" }, "", errors).status.details?.causes ?? []).map(({ field, message }) => `${field}: ${message}`);
const is = (type: string, status = "True", reason = "R"): object => ({ type, status, reason });

for (const [subresource, check] of [
  ["status", rules?.validateStatusUpdate],
  ["approval", validateApproval],
] as const)
  describe(`an update of /${subresource}`, () => {
    const metadata = { name: "a", resourceVersion: "1" };
    for (const [name, next, old, expected] of [
      ["may say nothing", {}, {}, []],
      [
        "decides only with True",
        { conditions: [is("Failed", "False")] },
        {},
        ['status.conditions[0].status: Unsupported value: "False": supported values: "True"'],
      ],
      [
        "has conditions with a type and a status",
        { conditions: [is("", "")] },
        {},
        ["status.conditions[0].type: Required value", "status.conditions[0].status: Required value"],
      ],
      [
        "has conditions of its own that are true or false or unknown",
        { conditions: [is("Mine", "Maybe")] },
        {},
        ['status.conditions[0].status: Unsupported value: "Maybe": supported values: "False", "True", "Unknown"'],
      ],
      [
        "has one condition of a type",
        { conditions: [is("Failed"), is("Failed")] },
        {},
        ['status.conditions[1].type: Duplicate value: "Failed"'],
      ],
      [
        "keeps decisions",
        { conditions: [] },
        { conditions: [is("Failed"), is("Denied")] },
        [
          'status.conditions: Forbidden: updates may not remove a condition of type "Denied"',
          'status.conditions: Forbidden: updates may not remove a condition of type "Failed"',
        ],
      ],
    ] as const)
      test(name, () => assert.deepEqual(texts(check?.({ metadata, status: next }, { metadata, status: old })), expected));
  });

const status = (next: object, old: object = {}): string[] =>
  texts(
    rules?.validateStatusUpdate?.(
      { metadata: { name: "a", resourceVersion: "1" }, status: next },
      { metadata: { name: "a", resourceVersion: "1" }, status: old },
    ),
  );
const approval = (next: object, old: object = {}): string[] =>
  texts(
    validateApproval(
      { metadata: { name: "a", resourceVersion: "1" }, status: next },
      { metadata: { name: "a", resourceVersion: "1" }, status: old },
    ),
  );

test("a request may have the name that a kubelet gives it", () => {
  const named = (name: string): string[] => texts(rules?.validate?.({ metadata: { name }, spec: good }));
  assert.deepEqual(named("node-csr-j1Ja8wpP3FxFBMnEVNsrwYosgWk_-796bWmRg9cnFTE"), []);
  assert.equal(named("a/b").length, 1);
});

test("a request is approved or denied, never both, and only in /approval", () => {
  const both = ['status.conditions: Invalid value: "Denied": Approved and Denied conditions are mutually exclusive'];
  assert.deepEqual(approval({ conditions: [is("Approved"), is("Denied")] }, { conditions: [is("Approved")] }), both);
  assert.deepEqual(approval({ conditions: [is("Approved")] }), []);
  assert.deepEqual(status({ conditions: [is("Approved")] }), [
    'status.conditions: Forbidden: updates may not add a condition of type "Approved"',
  ]);
  assert.deepEqual(status({ conditions: [is("Denied", "True", "Other")] }, { conditions: [is("Denied")] }), [
    'status.conditions: Forbidden: updates may not modify a condition of type "Denied"',
  ]);
});

test("a certificate is one, and is set once", () => {
  const refused = (problem: string): string[] => [`status.certificate: Invalid value: "<certificate data>": ${problem}`];
  assert.deepEqual(status({ certificate: "eA==" }), refused("must contain at least one CERTIFICATE PEM block"));
  assert.deepEqual(status({ certificate: pem("CERTIFICATE") }), refused("x509: malformed certificate"));
  assert.deepEqual(
    status({ certificate: pem("PRIVATE KEY") }),
    refused('only CERTIFICATE PEM blocks are allowed, found "PRIVATE KEY"'),
  );
  assert.deepEqual(status({ certificate: withHeader }), refused("no PEM block headers are permitted"));
  assert.deepEqual(status({ certificate }), []);
  assert.deepEqual(status({ certificate }, { certificate: "eA==" }), [
    "status.certificate: Forbidden: updates may not modify existing certificate content",
  ]);
});
