// The certificates API with an unmodified kubectl: asked for, approved, signed, and good for who it says.
import assert from "node:assert/strict";
import { createPrivateKey, generateKeyPairSync, X509Certificate } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { noNames, publicKeyBytes, readIssuer, systemClock, writeCertificate, writeRequest } from "#base";
import { type CommandResult, needs, startTiphys, type Tiphys } from "../support/tiphys.ts";

describe("certificate requests", { skip: needs("kubectl"), concurrency: false }, () => {
  let cluster: Tiphys;
  let directory: string;
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const k = async (...args: string[]): Promise<string> => {
    const result = await cluster.kubectl(...args);
    assert.equal(result.code, 0, `kubectl ${args.join(" ")}\n${result.stdout}${result.stderr}`);
    return result.stdout;
  };
  const file = (name: string, text: string): string => {
    const path = join(directory, name);
    writeFileSync(path, text, { mode: 0o600 });
    return path;
  };
  const ask = (name: string, changes: object): Promise<string> => {
    const request = writeRequest(privateKey, { commonName: "bob", organizations: ["dev"] });
    const spec = {
      request: Buffer.from(request).toString("base64"),
      signerName: "kubernetes.io/kube-apiserver-client",
      usages: ["client auth"],
      ...changes,
    };
    const object = { apiVersion: "certificates.k8s.io/v1", kind: "CertificateSigningRequest", metadata: { name }, spec };
    return k("create", "-f", file(`${name}.json`, JSON.stringify(object)));
  };
  /** kubectl with nothing but this certificate. */
  const as = (certificate: string, ...args: string[]): Promise<CommandResult> => {
    const user = { "client-certificate": certificate, "client-key": join(directory, "key.pem") };
    const config = {
      apiVersion: "v1",
      kind: "Config",
      clusters: [
        {
          name: "c",
          cluster: { server: cluster.info.server, "certificate-authority": join(cluster.info.dataDir, "pki/ca.crt") },
        },
      ],
      users: [{ name: "u", user }],
      contexts: [{ name: "x", context: { cluster: "c", user: "u" } }],
      "current-context": "x",
    };
    return cluster.kubectl(...args, "--kubeconfig", file("kubeconfig", JSON.stringify(config)));
  };

  before(async () => {
    directory = mkdtempSync(join(tmpdir(), "certificates-"));
    file("key.pem", privateKey.export({ type: "pkcs8", format: "pem" }).toString());
    cluster = await startTiphys(["--nodes", "0", "--sim-nodes", "1"]);
  });
  after(async () => {
    await cluster?.[Symbol.asyncDispose]();
    rmSync(directory, { recursive: true, force: true });
  });

  test("one that is approved is signed, and its holder is who it says", async () => {
    await ask("bob", { expirationSeconds: 3600 });
    assert.match(await k("get", "csr", "bob"), /bob +\S+ +kubernetes\.io\/kube-apiserver-client +kubernetes-admin +60m +Pending/);
    await k("certificate", "approve", "bob");
    await k("wait", "csr/bob", "--for=jsonpath={.status.certificate}", "--timeout=60s");
    assert.match(await k("get", "csr", "bob"), / Approved,Issued/);
    const pem = Buffer.from(await k("get", "csr", "bob", "-o", "jsonpath={.status.certificate}"), "base64").toString();
    const { validFromDate, validToDate } = new X509Certificate(pem);
    assert.equal(validToDate.getTime() - validFromDate.getTime(), 65 * 60_000);
    const { code, stdout, stderr } = await as(file("bob.crt", pem), "auth", "whoami", "-o", "json");
    assert.equal(code, 0, stderr);
    const { username, groups } = JSON.parse(stdout).status.userInfo;
    assert.deepEqual([username, groups], ["bob", ["dev", "system:authenticated"]]);
  });

  test("one that is denied has no certificate, and cannot be approved any more", async () => {
    await ask("denied", {});
    await k("certificate", "deny", "denied");
    assert.match(await k("get", "csr", "denied"), / Denied/);
    const { code, stderr } = await cluster.kubectl("certificate", "approve", "denied");
    assert.notEqual(code, 0);
    assert.match(stderr, /is already Denied/);
    assert.equal(await k("get", "csr", "denied", "-o", "jsonpath={.status.certificate}"), "");
  });

  test("one that its signer may not sign says why", async () => {
    await ask("server", { usages: ["server auth"] });
    await k("certificate", "approve", "server");
    await k("wait", "csr/server", "--for=condition=Failed", "--timeout=60s");
    const message = "{.status.conditions[?(@.type=='Failed')].message}";
    assert.equal(
      await k("get", "csr", "server", "-o", `jsonpath=${message}`),
      "invalid usage for client certificate: server auth",
    );
  });

  test("a certificate that has ended lets nobody in", async () => {
    const pki = join(cluster.info.dataDir, "pki");
    const issuer = readIssuer(readFileSync(`${pki}/ca.crt`, "utf8"), readFileSync(`${pki}/ca.key`, "utf8"));
    const now = systemClock.now();
    const certificate = writeCertificate(
      {
        serialNumber: Buffer.from([7]),
        subject: { commonName: "bob", organizations: ["system:masters"] },
        names: noNames,
        publicKey: publicKeyBytes(createPrivateKey(readFileSync(join(directory, "key.pem")))),
        notBeforeMs: now - 7_200_000,
        notAfterMs: now - 3_600_000,
        keyUsages: ["digitalSignature"],
        purposes: ["clientAuth"],
        isAuthority: false,
      },
      issuer,
    );
    const { code, stderr } = await as(file("ended.crt", certificate), "auth", "whoami");
    assert.notEqual(code, 0);
    assert.match(stderr, /Unauthorized/);
  });
});
