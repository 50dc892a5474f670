// The etcd API with mutual TLS: who shows no certificate of our authority does not get in.
import assert from "node:assert/strict";
import { execFile, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";
import { silentLog, systemClock } from "#base";
import { openEtcdStore, openMemoryStore, StoreError, startEtcdServer } from "#store";
import { makeCertificates, opensslMissing } from "./support/certificates.ts";

const skip = opensslMissing ?? false;

test("the etcd API over TLS serves who has a certificate and nobody else", { skip, timeout: 30_000 }, async () => {
  const directory = mkdtempSync(join(tmpdir(), "tiphys-etcd-tls-"));
  try {
    const { ca, certificate, key, files } = makeCertificates(directory);
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
      const flags = [`--cacert=${files.ca}`, `--cert=${files.certificate}`, `--key=${files.key}`];
      const { stdout } = await promisify(execFile)("etcdctl", [...flags, "get", "/a"], { env, timeout: 10_000 });
      assert.equal(stdout, "/a\n1\n");
    }
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
});
