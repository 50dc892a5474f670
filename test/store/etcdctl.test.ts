// The etcd API with the real etcdctl of the distribution (skipped where it is missing).
import assert from "node:assert/strict";
import { execFile, spawn, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite, test } from "node:test";
import { promisify } from "node:util";
import { silentLog, systemClock } from "#base";
import { openMemoryStore, startEtcdServer } from "#store";
import { makeCertificates, opensslMissing } from "./support/certificates.ts";

const run = promisify(execFile);
const skip =
  spawnSync("etcdctl", ["version"], { env: { ...process.env, ETCDCTL_API: "3" } }).status === 0
    ? false
    : "etcdctl is not installed";

async function serve() {
  const store = openMemoryStore({ clock: systemClock });
  const server = await startEtcdServer({ store, clock: systemClock, log: silentLog, listen: "127.0.0.1:0" });
  // Without "http://": etcdctl 3.4 would send that as :authority when it asks one endpoint (status, hashkv, defrag), and nghttp2 refuses it.
  const env = { ...process.env, ETCDCTL_API: "3", ETCDCTL_ENDPOINTS: server.url.replace("http://", "") };
  const ctl = async (...args: string[]): Promise<string> => (await run("etcdctl", args, { env, timeout: 10_000 })).stdout;
  return {
    store,
    env,
    ctl,
    fails: async (...args: string[]): Promise<string> => {
      try {
        await ctl(...args);
      } catch (error) {
        return (error as { readonly stderr: string }).stderr;
      }
      throw new Error(`etcdctl ${args.join(" ")} succeeded`);
    },
    [Symbol.asyncDispose]: async () => {
      await server[Symbol.asyncDispose]();
      await store[Symbol.asyncDispose]();
    },
  };
}

suite("etcdctl", { skip, timeout: 60_000 }, () => {
  test("put, get, del with their options", async () => {
    await using etcd = await serve();
    assert.equal(await etcd.ctl("put", "/a", "1"), "OK\n");
    assert.equal(await etcd.ctl("put", "/a", "2", "--prev-kv"), "OK\n/a\n1\n");
    await etcd.ctl("put", "/b", "x");
    assert.equal(await etcd.ctl("get", "/a"), "/a\n2\n");
    assert.equal(await etcd.ctl("get", "/", "--prefix", "--keys-only"), "/a\n\n/b\n\n");
    assert.equal(await etcd.ctl("get", "/", "--prefix", "--limit=1", "--order=DESCEND", "--sort-by=KEY"), "/b\nx\n");
    assert.equal(await etcd.ctl("get", "/a", "--rev=2"), "/a\n1\n");
    const json = JSON.parse(await etcd.ctl("get", "/a", "-w", "json"));
    assert.deepEqual(
      [json.kvs[0].create_revision, json.kvs[0].mod_revision, json.kvs[0].version, json.header.revision],
      [2, 3, 2, 4],
    );
    assert.equal(await etcd.ctl("del", "/", "--prefix"), "2\n");
    assert.equal(await etcd.ctl("get", "/a"), "");
  });

  test("txn, compaction and their errors", async () => {
    await using etcd = await serve();
    await etcd.ctl("put", "/a", "1");
    const child = spawn("etcdctl", ["txn"], { env: etcd.env });
    child.stdin.end('value("/a") = "1"\n\nput /a 2\nget /a\n\nget /b\n\n');
    let output = "";
    for await (const chunk of child.stdout) output += String(chunk);
    assert.match(output, /^SUCCESS\n\nOK\n\n\/a\n2\n/);
    assert.match(await etcd.ctl("compaction", "3"), /compacted revision 3/);
    assert.match(await etcd.fails("get", "/a", "--rev=2"), /etcdserver: mvcc: required revision has been compacted/);
    assert.match(await etcd.fails("get", "/a", "--rev=99"), /etcdserver: mvcc: required revision is a future revision/);
    assert.match(await etcd.fails("put", "/a", "--ignore-value", "--lease=77"), /requested lease not found/);
  });

  test("lease grant, timetolive, keep-alive, list, revoke", async () => {
    await using etcd = await serve();
    const [, id = ""] = /lease (\w+) granted with TTL\(100s\)/.exec(await etcd.ctl("lease", "grant", "100")) ?? [];
    await etcd.ctl("put", "/l", "1", `--lease=${id}`);
    assert.match(
      await etcd.ctl("lease", "timetolive", id, "--keys"),
      /granted with TTL\(100s\), remaining\(\d+s\), attached keys\(\[\/l\]\)/,
    );
    assert.match(await etcd.ctl("lease", "keep-alive", "--once", id), /keepalived with TTL\(100\)/);
    assert.match(await etcd.ctl("lease", "list"), new RegExp(id));
    assert.match(await etcd.ctl("lease", "revoke", id), /revoked/);
    assert.equal(await etcd.ctl("get", "/l"), "");
    assert.match(await etcd.ctl("lease", "timetolive", id), /already expired/);
  });

  test("watch from a revision, with previous values, and on a compacted one", async () => {
    await using etcd = await serve();
    await etcd.ctl("put", "/w", "1");
    await etcd.ctl("put", "/w", "2");
    const watch = spawn("etcdctl", ["watch", "/w", "--rev=2", "--prev-kv"], { env: etcd.env });
    const expected = "PUT\n/w\n1\nPUT\n/w\n1\n/w\n2\nDELETE\n/w\n2\n/w\n\n";
    await etcd.ctl("del", "/w");
    let output = "";
    for await (const chunk of watch.stdout) {
      output += String(chunk);
      if (output.length >= expected.length) break;
    }
    watch.kill();
    assert.equal(output, expected);
    await etcd.ctl("compaction", "4");
    assert.match(await etcd.fails("watch", "/w", "--rev=2"), /required revision has been compacted/);
  });

  test("endpoint status, health, hashkv, member list, alarm list, defrag", async () => {
    await using etcd = await serve();
    await etcd.ctl("put", "/a", "1");
    const [status] = JSON.parse(await etcd.ctl("endpoint", "status", "-w", "json"));
    assert.equal(status.Status.header.revision, 2);
    const health = await run("etcdctl", ["endpoint", "health"], { env: etcd.env });
    assert.match(health.stdout + health.stderr, /is healthy/);
    assert.match(await etcd.ctl("endpoint", "hashkv"), /, \d+/);
    assert.match(await etcd.ctl("member", "list"), /started, tiphys/);
    assert.equal(await etcd.ctl("alarm", "list"), "");
    assert.match(await etcd.ctl("defrag"), /Finished defragmenting/);
  });

  test("lock and elect", async () => {
    await using etcd = await serve();
    assert.match(await etcd.ctl("lock", "/lock", "echo", "held"), /held/);
    const elect = spawn("etcdctl", ["elect", "/leader", "me"], { env: etcd.env });
    for await (const chunk of elect.stdout) {
      assert.match(String(chunk), /^\/leader\//);
      break;
    }
    elect.kill("SIGKILL");
  });

  test("what is not there says so", async () => {
    await using etcd = await serve();
    assert.match(await etcd.fails("auth", "enable"), /authentication is not enabled/);
    assert.match(await etcd.fails("member", "add", "x", "--peer-urls=http://127.0.0.1:1"), /this store is one Tiphys process/);
  });

  test("calls of one endpoint go through with mutual TLS, and nobody gets in without", {
    skip: opensslMissing ?? false,
  }, async () => {
    const directory = mkdtempSync(join(tmpdir(), "tiphys-etcdctl-"));
    try {
      const { ca, certificate, key, files } = makeCertificates(directory);
      await using store = openMemoryStore({ clock: systemClock });
      const tls = { ca, certificate, key };
      await using server = await startEtcdServer({ store, clock: systemClock, log: silentLog, listen: "127.0.0.1:0", tls });
      const env = {
        ...process.env,
        ETCDCTL_API: "3",
        ETCDCTL_ENDPOINTS: server.url,
        ETCDCTL_CACERT: files.ca,
        ETCDCTL_CERT: files.certificate,
        ETCDCTL_KEY: files.key,
      };
      const ctl = async (...args: string[]): Promise<string> => (await run("etcdctl", args, { env, timeout: 30_000 })).stdout;
      await ctl("put", "/a", "1");
      assert.match(await ctl("endpoint", "status"), new RegExp(`^${server.url}, `));
      const [{ HashKV }] = JSON.parse(await ctl("endpoint", "hashkv", "-w", "json"));
      // What etcd 3.4 says of this one key.
      assert.deepEqual([HashKV.hash, HashKV.compact_revision], [2150085451, -1]);
      assert.match(await ctl("defrag"), /Finished defragmenting/);
      const file = join(directory, "save.db");
      await ctl("snapshot", "save", file);
      const status = JSON.parse(await ctl("snapshot", "status", file, "-w", "json"));
      assert.equal(status.revision, 2);
      const { ETCDCTL_CERT: _cert, ETCDCTL_KEY: _key, ...without } = env;
      await assert.rejects(run("etcdctl", ["get", "/a", "--command-timeout=2s"], { env: without, timeout: 30_000 }));
    } finally {
      rmSync(directory, { recursive: true, force: true });
    }
  });
});
