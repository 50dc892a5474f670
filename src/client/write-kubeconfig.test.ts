// Kubeconfigs that are written are read again by our own reader, and have the form that kubectl writes.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Files } from "#base";
import { loadKubeconfig } from "./kubeconfig.ts";
import { type KubeconfigContents, kubeconfigFor, writeKubeconfig } from "./write-kubeconfig.ts";

const server = "https://127.0.0.1:6443";
const files = { read: async (path: string) => Buffer.from(`the text of ${path}`) } as unknown as Files; // the loader only reads

async function readBack(contents: KubeconfigContents): Promise<Record<string, unknown>> {
  const { server: where, ca, clientCertificate, clientKey, ...rest } = await loadKubeconfig(kubeconfigFor(contents), { files });
  const all = { where, ca: ca?.toString(), certificate: clientCertificate?.toString(), key: clientKey?.toString(), ...rest };
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined && value !== false));
}

const rows: readonly (readonly [string, Omit<KubeconfigContents, "server">, Record<string, unknown>])[] = [
  [
    "a client certificate",
    { caCertificate: "CA", credentials: { certificate: "C", key: "K" } },
    { ca: "CA", certificate: "C", key: "K" },
  ],
  // without quotes it would be a number to those who read it
  [
    "a token that looks like a number",
    { credentials: { token: "123456.1234567890123456" } },
    { token: "123456.1234567890123456" },
  ],
  [
    "a file with certificate and key",
    { credentials: { certificateFile: "/pki/current.pem" }, namespace: "default" },
    { certificate: "the text of /pki/current.pem", key: "the text of /pki/current.pem", namespace: "default" },
  ],
  [
    "how the server is recognised",
    { tlsServerName: "api", insecureSkipTlsVerify: true, credentials: { token: "t" } },
    { tlsServerName: "api", insecureSkipTlsVerify: true, token: "t" },
  ],
];
for (const [name, contents, want] of rows)
  test(`kubeconfigFor() carries ${name}`, async () =>
    assert.deepEqual(await readBack({ server, ...contents }), { where: server, ...want }));

test("kubeconfigFor() names its entries as kubeadm does, or as it is told", () => {
  const names = (given: Partial<KubeconfigContents>): readonly string[] =>
    [...kubeconfigFor({ server, credentials: { token: "t" }, ...given }).matchAll(/(?:name|current-context): (.*)/g)].map(
      ([, name]) => name ?? "",
    );
  const context = "kubernetes-admin@tiphys";
  assert.deepEqual(names({}), ["tiphys", context, context, "kubernetes-admin"]);
  assert.deepEqual(names({ cluster: "c", user: "u", context: "x" }), ["c", "x", "x", "u"]);
});

test("kubeconfigFor() without credentials tells where the cluster is and no more", () => {
  const text = kubeconfigFor({ server, caCertificate: "CA", cluster: "" });
  assert.equal(
    text,
    `apiVersion: v1
clusters:
- cluster:
    certificate-authority-data: ${Buffer.from("CA").toString("base64")}
    server: ${server}
  name: ""
contexts: []
kind: Config
users: []
`,
  );
});

test("writeKubeconfig() writes in one step what only the owner may read", async () => {
  const written: unknown[] = [];
  const writing = { writeAtomic: async (...call: unknown[]) => void written.push(call) } as unknown as Files;
  const contents = { server, credentials: { token: "t" } };
  await writeKubeconfig(writing, "/k", contents);
  assert.deepEqual(written, [["/k", kubeconfigFor(contents), 0o600]]);
});
