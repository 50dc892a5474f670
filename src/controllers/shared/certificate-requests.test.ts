// Which requests are a kubelet's, and why others are not.
import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { describe, test } from "node:test";
import { namesOf, noNames, readRequestPem, writeRequest } from "#base";
import { kubeletClientProblem, kubeletServingProblem } from "./certificate-requests.ts";

const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
const asked = (subject = {}, names = {}): ReturnType<typeof readRequestPem> =>
  readRequestPem(
    writeRequest(
      privateKey,
      { commonName: "system:node:n1", organizations: ["system:nodes"], ...subject },
      { ...noNames, ...names },
    ),
  );
const client = ["client auth", "digital signature"];
const serving = ["server auth", "digital signature"];

describe("a kubelet's client certificate", () => {
  for (const [name, request, usages, expected] of [
    ["is for a node", asked(), client, undefined],
    ["may be meant for enciphering", asked(), [...client, "key encipherment"], undefined],
    ["needs the nodes' group", asked({ organizations: ["dev"] }), client, "subject organization is not system:nodes"],
    [
      "needs no other group",
      asked({ organizations: ["system:nodes", "system:masters"] }),
      client,
      "subject organization is not system:nodes",
    ],
    ["has no DNS name", asked({}, { dns: ["a"] }), client, "DNS subjectAltNames are not allowed"],
    ["has no email", asked({}, { emails: ["a@b"] }), client, "Email subjectAltNames are not allowed"],
    ["has no address", asked({}, { addresses: ["10.0.0.1"] }), client, "IP subjectAltNames are not allowed"],
    ["has no URI", asked({}, { uris: ["a:b"] }), client, "URI subjectAltNames are not allowed"],
    ["names a node", asked({ commonName: "n1" }), client, "subject common name does not begin with system:node:"],
    ["is for clients", asked(), serving, "usages did not match [client auth digital signature key encipherment]"],
    [
      "is for nothing else",
      asked(),
      [...client, "cert sign"],
      "usages did not match [client auth digital signature key encipherment]",
    ],
  ] as const)
    test(name, () => assert.equal(kubeletClientProblem(request, usages), expected));
});

describe("a kubelet's serving certificate", () => {
  const names = namesOf(["n1", "10.0.0.7"]);
  for (const [name, request, usages, expected] of [
    ["is for a node's names", asked({}, names), serving, undefined],
    ["needs a name or an address", asked(), serving, "DNS or IP subjectAltName is required"],
    ["has no email", asked({}, { ...names, emails: ["a@b"] }), serving, "Email subjectAltNames are not allowed"],
    ["has no URI", asked({}, { ...names, uris: ["a:b"] }), serving, "URI subjectAltNames are not allowed"],
    ["needs the nodes' group", asked({ organizations: [] }, names), serving, "subject organization is not system:nodes"],
    ["is for servers", asked({}, names), client, "usages did not match [digital signature key encipherment server auth]"],
    ["names a node", asked({ commonName: "n1" }, names), serving, "subject common name does not begin with system:node:"],
  ] as const)
    test(name, () => assert.equal(kubeletServingProblem(request, usages), expected));
});
