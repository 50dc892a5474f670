// Which requests are signed, for how long and for what; and why others are not.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { namesOf, readPem, writePem } from "#base";
import { certificateRequest, decided, kubelet, type RequestChanges } from "../testing/certificate-request.ts";
import { planSigning, type SigningPlan } from "./plan.ts";

const minute = 60_000;
const hour = 60 * minute;
const day = 24 * hour;
const nowMs = Date.UTC(2026, 0, 1);
const limits = { nowMs, durationMs: 365 * day, authorityEndsMs: nowMs + 3650 * day };

const plan = (changes: RequestChanges, more: Partial<typeof limits> = {}): SigningPlan =>
  planSigning(certificateRequest({ status: decided("Approved"), ...changes }), { ...limits, ...more });
const client = { signerName: "kubernetes.io/kube-apiserver-client", usages: ["client auth"], subject: { commonName: "bob" } };
const serving = {
  signerName: "kubernetes.io/kubelet-serving",
  usages: ["digital signature", "server auth"],
  names: namesOf(["n1"]),
};

describe("a request is left alone", () => {
  for (const [name, changes] of [
    ["before it is approved", { status: {} }],
    ["when it is denied", { status: decided("Denied") }],
    ["when it is approved and denied", { status: decided("Approved", "Denied") }],
    ["when it has failed", { status: decided("Approved", "Failed") }],
    ["when it has its certificate", { status: { ...decided("Approved"), certificate: "eA==" } }],
    ["when its signer is another's", { signerName: "example.com/signer" }],
  ] as const)
    test(name, () => assert.deepEqual(plan(changes), { do: "nothing" }));
});

describe("a request fails", () => {
  for (const [name, changes, message] of [
    ["of a client for a server", { ...client, usages: ["server auth"] }, "invalid usage for client certificate: server auth"],
    [
      "of a client that asks for no client",
      { ...client, usages: ["digital signature"] },
      "missing required usage for client certificate: client auth",
    ],
    [
      "of a kubelet with another group",
      { subject: { ...kubelet, organizations: [] } },
      "subject organization is not system:nodes",
    ],
    ["of a kubelet's server without names", { ...serving, names: namesOf([]) }, "DNS or IP subjectAltName is required"],
  ] as const)
    test(name, () => assert.deepEqual(plan(changes), { do: "fail", message }));
});

describe("a request is signed", () => {
  for (const [name, changes, expected] of [
    ["of a client", client, ["bob", [], ["clientAuth"]]],
    ["of a kubelet", {}, ["system:node:n1", ["digitalSignature"], ["clientAuth"]]],
    ["of a kubelet's server", serving, ["system:node:n1", ["digitalSignature"], ["serverAuth"]]],
    [
      "of the legacy signer, for anything but an authority",
      {
        signerName: "kubernetes.io/legacy-unknown",
        usages: ["cert sign", "signing", "digital signature", "s/mime", "email protection", "any"],
      },
      ["system:node:n1", ["certSign", "digitalSignature"], ["any", "emailProtection"]],
    ],
  ] as const)
    test(name, () => {
      const made = plan(changes);
      assert.ok(made.do === "sign");
      const { subject, keyUsages, purposes, isAuthority } = made.template;
      assert.deepEqual([subject.commonName, keyUsages, purposes], expected);
      assert.equal(isAuthority, false);
    });

  for (const [name, expirationSeconds, more, expected] of [
    ["for as long as the cluster allows, less the backdating", undefined, {}, 365 * day - 5 * minute],
    ["for less where less is asked for", 86_400, {}, day - 5 * minute],
    ["for no more where more is asked for", 2 * 365 * 86_400, {}, 365 * day - 5 * minute],
    ["for all of a short time", 3600, {}, hour],
    ["for ten minutes at least", 60, {}, 10 * minute],
    ["for as long as the authority lasts", undefined, { authorityEndsMs: nowMs + hour }, hour],
  ] as const)
    test(name, () => {
      const made = plan({ ...(expirationSeconds === undefined ? {} : { expirationSeconds }) }, more);
      assert.ok(made.do === "sign");
      assert.equal(made.template.notBeforeMs, nowMs - 5 * minute);
      assert.equal(made.template.notAfterMs - nowMs, expected);
    });

  test("only by whoever holds the key", () => {
    const good = certificateRequest({ status: decided("Approved") });
    const bytes = Buffer.from(readPem(Buffer.from(good.spec.request, "base64").toString())[0]?.bytes ?? []);
    bytes[bytes.indexOf(":n1") + 2] = "2".charCodeAt(0);
    const request = Buffer.from(writePem("CERTIFICATE REQUEST", bytes)).toString("base64");
    assert.throws(
      () => planSigning({ ...good, spec: { ...good.spec, request } }, limits),
      /unable to verify certificate request signature/,
    );
  });
});
