// Certificate signing requests: what may be asked for and decided.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { certificateRules } from "./certificates.ts";

const rules = certificateRules["certificates.k8s.io/CertificateSigningRequest"];
const pem = (kind: string): string => Buffer.from(`-----BEGIN ${kind}-----\nAA==\n-----END ${kind}-----\n`).toString("base64");
const good = { request: pem("CERTIFICATE REQUEST"), signerName: "example.com/signer", usages: ["client auth"] };

describe("a request", () => {
  for (const [name, change, expected] of [
    ["is taken", {}, []],
    ["must be one", { request: pem("CERTIFICATE") }, ["spec.request: PEM block type must be CERTIFICATE REQUEST"]],
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

test("a decision is only ever True", () => {
  const errors = rules?.validateStatusUpdate?.(
    { metadata: { name: "a" }, status: { conditions: [{ type: "Denied", status: "False" }] } },
    { metadata: { name: "a" } },
  );
  const ours = (errors ?? []).filter(({ field }) => field.startsWith("status."));
  assert.deepEqual(
    ours.map(({ field, value }) => [field, value]),
    [["status.conditions[0].status", "False"]],
  );
});

test("a certificate must be one, is set once, and conditions stay", () => {
  const check = (next: object, old: object): string[] =>
    (
      certificateRules["certificates.k8s.io/CertificateSigningRequest"]?.validateStatusUpdate?.(
        { status: next },
        { status: old },
      ) ?? []
    )
      .filter(({ field }) => field.startsWith("status."))
      .map(({ field, detail }) => `${field}: ${detail}`);
  const certificate = Buffer.from("-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n").toString("base64");
  assert.deepEqual(check({ certificate: "eA==" }, {}), ["status.certificate: must contain at least one CERTIFICATE PEM block"]);
  assert.deepEqual(check({ certificate }, {}), []);
  assert.deepEqual(check({ certificate }, { certificate: "eA==" }), [
    "status.certificate: updates may not set certificate content",
  ]);
  assert.deepEqual(check({ conditions: [] }, { conditions: [{ type: "Approved" }] }), [
    'status.conditions: updates may not remove a condition of type "Approved"',
  ]);
});
