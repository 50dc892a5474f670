import assert from "node:assert/strict";
import { test } from "node:test";
import type { Files } from "#base";
import { loadKubeconfig } from "./kubeconfig.ts";

const given: Readonly<Record<string, string>> = { "/etc/k/ca.crt": "CA", "/etc/k/token": "fresh\n" };
const files = { read: async (path: string) => Buffer.from(given[path] ?? assert.fail(`read ${path}`)) } as unknown as Files; // the loader only reads

const base64 = (text: string): string => Buffer.from(text).toString("base64");
const config = (user: string, current = "main"): string => `
apiVersion: v1
kind: Config
current-context: ${current}
clusters:
- name: c
  cluster: { server: "https://10.0.0.1:6443", certificate-authority: ca.crt, tls-server-name: api }
contexts:
- name: main
  context: { cluster: c, user: u, namespace: shop }
users:
- name: u
  user: ${user}
`;

test("certificates come inline or from files beside the kubeconfig", async () => {
  const user = `{ client-certificate-data: ${base64("CERT")}, client-key-data: ${base64("KEY")} }`;
  const options = await loadKubeconfig(config(user), { files, directory: "/etc/k" });
  assert.deepEqual(
    [
      options.server,
      String(options.ca),
      String(options.clientCertificate),
      String(options.clientKey),
      options.namespace,
      options.tlsServerName,
    ],
    ["https://10.0.0.1:6443", "CA", "CERT", "KEY", "shop", "api"],
  );
});

test("a token file is read anew each time it is needed", async () => {
  const options = await loadKubeconfig(config("{ tokenFile: /etc/k/token }"), { files, directory: "/etc/k" });
  assert.equal(typeof options.token === "function" ? await options.token() : "", "fresh");
});

for (const [name, text, want] of [
  ["a missing context", config("{}", "other"), /contexts has no entry "other"/],
  ["a credential plugin", config("{ exec: { command: aws } }"), /exec credentials are not supported/],
  ["another kind", "kind: Pod", /its kind is "Pod"/],
  ["an empty file", "", /Cannot read the kubeconfig: expected a document/],
] as const)
  test(`${name} is refused with a clear error`, async () => {
    await assert.rejects(loadKubeconfig(text, { files, directory: "/etc/k" }), want);
  });
