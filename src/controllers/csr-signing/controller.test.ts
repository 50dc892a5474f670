import assert from "node:assert/strict";
import { generateKeyPairSync, X509Certificate } from "node:crypto";
import { test } from "node:test";
import { certificateSigningRequests as type } from "#api";
import { noNames, publicKeyBytes, writeCertificate } from "#base";
import { certificateRequest, decided } from "../testing/certificate-request.ts";
import { createWorld } from "../testing/world.ts";
import { signingController } from "./controller.ts";

const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
const authority = {
  certificate: writeCertificate(
    {
      serialNumber: Buffer.from([1]),
      subject: { commonName: "kubernetes" },
      names: noNames,
      publicKey: publicKeyBytes(privateKey),
      notBeforeMs: Date.UTC(2025, 0, 1),
      notAfterMs: Date.UTC(2026, 5, 1),
      keyUsages: ["certSign"],
      purposes: [],
      isAuthority: true,
    },
    { key: privateKey },
  ),
  key: privateKey.export({ type: "pkcs8", format: "pem" }).toString(),
};

test("a request has its certificate once it is approved, and one that breaks the rules says so", async () => {
  await using world = createWorld();
  world.api.put(type, certificateRequest({ name: "good" }));
  world.api.put(type, certificateRequest({ name: "bad", usages: ["any"], status: decided("Approved") }));
  world.run(signingController(world.context, authority));
  await world.settle();
  const found = (name: string) => world.api.peek(type, { name })?.status;
  assert.equal(found("good")?.certificate, undefined);
  assert.deepEqual(found("bad")?.conditions?.[1], {
    type: "Failed",
    status: "True",
    reason: "SignerValidationFailure",
    message: "usages did not match [client auth digital signature key encipherment]",
    lastUpdateTime: "2026-01-01T00:00:00Z",
  });

  world.api.put(type, certificateRequest({ name: "good", status: decided("Approved") }));
  await world.settle();
  const pem = Buffer.from(found("good")?.certificate ?? "", "base64").toString();
  const made = new X509Certificate(pem);
  assert.ok(made.verify(new X509Certificate(authority.certificate).publicKey));
  assert.equal(made.subject, "O=system:nodes\nCN=system:node:n1");
  assert.equal(made.validToDate.toISOString(), "2026-06-01T00:00:00.000Z");

  const writes = world.api.requests.filter(({ method }) => method === "PUT").map(({ path }) => path);
  assert.deepEqual(writes.toSorted(), [
    "/apis/certificates.k8s.io/v1/certificatesigningrequests/bad/status",
    "/apis/certificates.k8s.io/v1/certificatesigningrequests/good/status",
  ]);
});

test("an authority that has ended signs nothing", async () => {
  await using world = createWorld();
  await world.clock.advance(200 * 86_400_000);
  world.api.put(type, certificateRequest({ status: decided("Approved") }));
  world.run(signingController(world.context, authority));
  await world.settle();
  assert.equal(world.api.peek(type, { name: "csr" })?.status?.certificate, undefined);
});
