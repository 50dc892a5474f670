// The etcd API with mutual TLS: who shows no certificate of our authority does not get in.
import assert from "node:assert/strict";
import { execFile, execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";
import { silentLog, systemClock } from "#base";
import { openEtcdStore, openMemoryStore, StoreError, startEtcdServer } from "#store";

const skip = spawnSync("openssl", ["version"]).status === 0 ? false : "openssl is not installed";

/** An authority, and a certificate for 127.0.0.1 that it has signed. */
function certificates(directory: string) {
  const at = (name: string): string => join(directory, name);
  const openssl = (...args: string[]): unknown => execFileSync("openssl", args, { stdio: "pipe" });
  openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", at("ca.key"));
  openssl("req", "-x509", "-new", "-key", at("ca.key"), "-subj", "/CN=etcd-ca", "-days", "1", "-out", at("ca.crt"));
  openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", at("one.key"));
  openssl("req", "-new", "-key", at("one.key"), "-subj", "/CN=one", "-out", at("one.csr"));
  writeFileSync(at("san"), "subjectAltName=IP:127.0.0.1\nextendedKeyUsage=serverAuth,clientAuth\n");
  openssl(
    "x509",
    "-req",
    "-in",
    at("one.csr"),
    "-CA",
    at("ca.crt"),
    "-CAkey",
    at("ca.key"),
    "-CAcreateserial",
    "-days",
    "1",
    "-extfile",
    at("san"),
    "-out",
    at("one.crt"),
  );
  const pem = (name: string): string => readFileSync(at(name), "utf8");
  return { ca: pem("ca.crt"), certificate: pem("one.crt"), key: pem("one.key"), at };
}

test("the etcd API over TLS serves who has a certificate and nobody else", { skip, timeout: 30_000 }, async () => {
  const directory = mkdtempSync(join(tmpdir(), "tiphys-etcd-tls-"));
  try {
    const { ca, certificate, key, at } = certificates(directory);
    await using backend = openMemoryStore({ clock: systemClock });
    await using server = await startEtcdServer({
      store: backend,
      clock: systemClock,
      log: silentLog,
      listen: "127.0.0.1:0",
      tls: { ca, certificate, key },
    });
    assert.match(server.url, /^https:/);
    const common = { servers: [server.url], clock: systemClock, log: silentLog, timeoutMs: 3000 };
    {
      await using store = await openEtcdStore({ ...common, tls: { ca, certificate, key } });
      await store.transact({ if: [], then: [{ kind: "put", key: "/a", value: Buffer.from("1") }] });
    }
    assert.equal(backend.get("/a")?.value.toString(), "1");
    await assert.rejects(
      openEtcdStore({ ...common, tls: { ca } }),
      (error) => error instanceof StoreError && error.code === "unavailable",
    );
    await assert.rejects(openEtcdStore({ ...common, servers: [server.url.replace("https", "http")] }), StoreError);
    if (spawnSync("etcdctl", ["version"]).status === 0) {
      const env = { ...process.env, ETCDCTL_API: "3", ETCDCTL_ENDPOINTS: server.url };
      const flags = [`--cacert=${at("ca.crt")}`, `--cert=${at("one.crt")}`, `--key=${at("one.key")}`];
      const { stdout } = await promisify(execFile)("etcdctl", [...flags, "get", "/a"], { env, timeout: 10_000 });
      assert.equal(stdout, "/a\n1\n");
    }
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
});
