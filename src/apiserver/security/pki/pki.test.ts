// Certificates: made once, kept, renewed in time, and good in the eyes of openssl.
import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { seededRandom, systemClock, systemFiles, systemProcesses, VirtualClock } from "#base";
import { MemoryFiles } from "../testing/files.ts";
import { ensurePki, newServiceAccountKey } from "./pki.ts";

const day = 24 * 3600 * 1000;
// Made once: an RSA key costs a tenth of a second.
const serviceAccount = await newServiceAccountKey();

async function made(startMs = Date.UTC(2026, 0, 1)) {
  const files = new MemoryFiles();
  await files.write("/pki/sa.key", serviceAccount.privateKey, 0o600);
  const clock = new VirtualClock({ startMs });
  const random = seededRandom(1);
  const open = (serverNames: readonly string[] = []) => ensurePki("/pki", { files, clock, random, serverNames });
  return { files, clock, open, pki: await open() };
}

test("ensurePki() keeps what is there, byte for byte", async () => {
  const { files, open } = await made();
  const before = new Map([...files.contents].map(([path, { data }]) => [path, data.toString()]));
  await open();
  assert.deepEqual(new Map([...files.contents].map(([path, { data }]) => [path, data.toString()])), before);
});

test("ensurePki() writes keys that only their owner can read", async () => {
  const { files } = await made();
  const modes = [...files.contents].filter(([path]) => path.endsWith(".key")).map(([, { mode }]) => mode);
  assert.ok(modes.length >= 8);
  assert.deepEqual(new Set(modes), new Set([0o600]));
});

test("ensurePki() renews a certificate that ends within 30 days, under the same authority", async () => {
  const { clock, open, pki } = await made();
  await clock.advance(334 * day);
  assert.equal((await open()).admin.certificate, pki.admin.certificate);
  await clock.advance(3 * day);
  const renewed = await open();
  assert.notEqual(renewed.admin.certificate, pki.admin.certificate);
  assert.equal(renewed.ca.certificate, pki.ca.certificate);
  assert.ok(new X509Certificate(renewed.admin.certificate).verify(new X509Certificate(pki.ca.certificate).publicKey));
});

test("ensurePki() renews an authority with the same key, so that what it signed stays valid", async () => {
  const { clock, open, pki } = await made();
  await clock.advance(3640 * day);
  const renewed = await open();
  assert.notEqual(renewed.ca.certificate, pki.ca.certificate);
  assert.equal(renewed.ca.key, pki.ca.key);
  assert.ok(new X509Certificate(pki.apiserver.certificate).verify(new X509Certificate(renewed.ca.certificate).publicKey));
});

test("ensurePki() gives the API server a new certificate when a name is added, and only then", async () => {
  const { open, pki } = await made();
  const same = await open(["0.0.0.0", ""]);
  assert.equal(same.apiserver.certificate, pki.apiserver.certificate);
  const named = new X509Certificate((await open(["box.example", "10.96.0.1", "fd00::1"])).apiserver.certificate);
  for (const host of ["box.example", "localhost", "kubernetes.default.svc.cluster.local"]) assert.ok(named.checkHost(host), host);
  for (const ip of ["10.96.0.1", "127.0.0.1", "::1", "fd00::1"]) assert.ok(named.checkIP(ip), ip);
});

test("ensurePki() replaces certificates of an authority that is no longer there", async () => {
  const { files, open } = await made();
  files.contents.delete("/pki/ca.crt");
  files.contents.delete("/pki/ca.key");
  const pki = await open();
  assert.ok(new X509Certificate(pki.scheduler.certificate).verify(new X509Certificate(pki.ca.certificate).publicKey));
});

test("ensurePki() names the file that is no certificate", async () => {
  const { files, open } = await made();
  await files.write("/pki/admin.crt", "not a certificate");
  await assert.rejects(open(), /Cannot use certificate "\/pki\/admin\.crt": it is not a PEM certificate/);
});

test("the subjects say who the components are", async () => {
  const { pki } = await made();
  const { client, serving } = await pki.node("n1", ["10.0.0.7"]);
  const subject = (pair: { certificate: string }): string => new X509Certificate(pair.certificate).subject.replaceAll("\n", ",");
  assert.equal(subject(pki.admin), "O=system:masters,CN=kubernetes-admin");
  assert.equal(subject(pki.controllerManager), "CN=system:kube-controller-manager");
  assert.equal(subject(pki.scheduler), "CN=system:kube-scheduler");
  assert.equal(subject(client), "O=system:nodes,CN=system:node:n1");
  assert.ok(new X509Certificate(serving.certificate).checkIP("10.0.0.7"));
});

test("openssl accepts every certificate for its purpose", async (t) => {
  const version = await systemProcesses.run("openssl", ["version"]).catch(() => undefined);
  if (version === undefined) return t.skip("openssl is not installed");
  const directory = mkdtempSync(join(tmpdir(), "tiphys-pki-"));
  try {
    const pki = await ensurePki(directory, { files: systemFiles, clock: systemClock, random: seededRandom(2) });
    await pki.node("n1", ["10.0.0.7"]);
    await pki.etcd(["10.0.0.7"]);
    const verify = async (ca: string, purpose: string, name: string): Promise<string> =>
      (
        await systemProcesses.run("openssl", [
          "verify",
          "-purpose",
          purpose,
          "-CAfile",
          `${directory}/${ca}.crt`,
          `${directory}/${name}.crt`,
        ])
      ).stdout;
    for (const name of [
      "admin",
      "controller-manager",
      "scheduler",
      "proxy",
      "apiserver-kubelet-client",
      "nodes/n1/kubelet-client",
    ]) {
      assert.match(await verify("ca", "sslclient", name), /: OK/);
    }
    for (const name of ["apiserver", "nodes/n1/kubelet"]) assert.match(await verify("ca", "sslserver", name), /: OK/);
    assert.match(await verify("etcd/ca", "sslserver", "etcd/server"), /: OK/);
    assert.match(await verify("etcd/ca", "sslclient", "apiserver-etcd-client"), /: OK/);
    assert.doesNotMatch(await verify("ca", "sslserver", "admin"), /: OK/);
  } finally {
    rmSync(directory, { recursive: true });
  }
});
