// Warnings of kinds, in upstream's words.
import assert from "node:assert/strict";
import { test } from "node:test";
import { type AnyObject, kindRules } from "../rules.ts";

const base64 = (text: string): string => Buffer.from(text).toString("base64");
const tls = (crt: string, key: string): AnyObject => ({
  type: "kubernetes.io/tls",
  data: { "tls.crt": base64(crt), "tls.key": base64(key) },
});
const pem = "-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n";
const classAnnotation = { metadata: { annotations: { "kubernetes.io/ingress.class": "x" } } };
const tokens =
  "spec.serviceAccountTokenInSecrets is unset; if supported by this CSI driver, set to true to prevent possible logging of tokens in volume attributes";

const rows: readonly (readonly [name: string, kind: string, object: AnyObject, expected: readonly string[]])[] = [
  ["a TLS secret without a certificate", "/Secret", tls("", ""), ["tls: failed to find any PEM data in certificate input"]],
  ["a TLS secret without a key", "/Secret", tls(pem, "x"), ["tls: failed to find any PEM data in key input"]],
  ["a TLS secret with both", "/Secret", tls(pem, pem), []],
  ["another secret", "/Secret", { type: "Opaque" }, []],
  [
    "a volume's old class annotation",
    "/PersistentVolume",
    { metadata: { annotations: { "volume.beta.kubernetes.io/storage-class": "x" } } },
    [
      'metadata.annotations[volume.beta.kubernetes.io/storage-class]: deprecated since v1.8; use "storageClassName" attribute instead',
    ],
  ],
  [
    "a volume that asks for an old node label",
    "/PersistentVolume",
    { spec: { nodeAffinity: { required: { nodeSelectorTerms: [{ matchExpressions: [{ key: "beta.kubernetes.io/os" }] }] } } } },
    [
      'spec.nodeAffinity.required.nodeSelectorTerms[0].matchExpressions[0].key: beta.kubernetes.io/os is deprecated since v1.14; use "kubernetes.io/os" instead',
    ],
  ],
  ["a driver that asks for tokens", "storage.k8s.io/CSIDriver", { spec: { tokenRequests: [{ audience: "a" }] } }, [tokens]],
  [
    "a driver that says where tokens go",
    "storage.k8s.io/CSIDriver",
    { spec: { tokenRequests: [{ audience: "a" }], serviceAccountTokenInSecrets: true } },
    [],
  ],
  [
    "an ingress' class annotation",
    "networking.k8s.io/Ingress",
    classAnnotation,
    ["annotation \"kubernetes.io/ingress.class\" is deprecated, please use 'spec.ingressClassName' instead"],
  ],
  ["an ingress with both", "networking.k8s.io/Ingress", { ...classAnnotation, spec: { ingressClassName: "x" } }, []],
];

for (const [name, kind, object, expected] of rows)
  test(`${kind} warns as upstream: ${name}`, () => assert.deepEqual(kindRules[kind]?.warnings?.(object, undefined), expected));
