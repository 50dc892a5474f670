// For this room's tests: what spec.request of a certificate request holds.
import { generateKeyPairSync } from "node:crypto";
import { writeRequest } from "#base";

/** Base64 of PEM, for a new key. */
export function certificateRequest(): string {
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  return Buffer.from(writeRequest(privateKey, { commonName: "bob" })).toString("base64");
}
