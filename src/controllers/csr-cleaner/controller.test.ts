import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { certificateSigningRequests as type } from "#api";
import { noNames, publicKeyBytes, writeCertificate } from "#base";
import { certificateRequest, decided, requestKey } from "../testing/certificate-request.ts";
import { createWorld, namesOf } from "../testing/world.ts";
import { requestCleanerController } from "./controller.ts";
import { planRemoval } from "./plan.ts";

const hour = 3_600_000;
const startMs = Date.UTC(2026, 0, 1);
const certificate = (endsMs: number): string =>
  Buffer.from(
    writeCertificate(
      {
        serialNumber: Buffer.from([1]),
        subject: { commonName: "a" },
        names: noNames,
        publicKey: publicKeyBytes(requestKey),
        notBeforeMs: 0,
        notAfterMs: endsMs,
        keyUsages: [],
        purposes: [],
        isAuthority: false,
      },
      { key: requestKey },
    ),
  ).toString("base64");
const issued = (endsMs: number) => ({ ...decided("Approved"), certificate: certificate(endsMs) });

describe("a request is kept", () => {
  const created = { name: "a", creationTimestamp: "2026-01-01T00:00:00Z" };
  for (const [name, status, expected] of [
    ["for a day when nobody looks at it", {}, 24 * hour],
    ["for an hour after it was denied", decided("Denied"), hour],
    ["for an hour after it failed", decided("Approved", "Failed"), hour],
    ["for an hour after it was approved, with its certificate", issued(startMs + 24 * hour), hour],
    ["until its certificate ends", issued(startMs + hour / 2), hour / 2],
    ["for ever while it is approved and not signed", decided("Approved"), undefined],
    ["for a day with a certificate that cannot be read, when nobody decided", { certificate: "eA==", conditions: [] }, 24 * hour],
  ] as const)
    test(name, () => {
      const at = planRemoval({ ...certificateRequest({ status }), metadata: created });
      assert.equal(at === undefined ? undefined : at - startMs, expected);
    });
});

test("requests go when their time is over", async () => {
  await using world = createWorld();
  for (const [name, status] of [
    ["pending", {}],
    ["denied", decided("Denied")],
    ["waiting", decided("Approved")],
  ] as const)
    world.api.put(type, certificateRequest({ name, status }));
  world.run(requestCleanerController(world.context));
  await world.settle();
  assert.deepEqual(namesOf(world.api.all(type)), ["pending", "denied", "waiting"]);
  await world.pass(hour + 1000);
  assert.deepEqual(namesOf(world.api.all(type)), ["pending", "waiting"]);
  await world.pass(23 * hour);
  assert.deepEqual(namesOf(world.api.all(type)), ["waiting"]);
});
