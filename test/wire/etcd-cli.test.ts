// `tiphys etcd`: the server, and every subcommand, as a user meets them.
import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { suite, test } from "node:test";
import { freePort, startRealEtcd } from "../store/support/real-etcd.ts";
import { type CommandResult, needs, startTiphys } from "../support/tiphys.ts";

const main = join(import.meta.dirname, "../../src/cli/main.ts");
const base = ["--disable-warning=ExperimentalWarning", main, "etcd"];

/** Runs a program to its end, whatever its exit code. */
const execute = (command: string, args: readonly string[], env: NodeJS.ProcessEnv = process.env): Promise<CommandResult> =>
  new Promise((resolve) => {
    execFile(command, args, { env, timeout: 120_000 }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : typeof error.code === "number" ? error.code : -1, stdout, stderr });
    });
  });

const tiphysEtcd = (...args: string[]): Promise<CommandResult> => execute(process.execPath, [...base, ...args]);

/** Fails with what was said. */
async function ok(result: Promise<CommandResult>): Promise<string> {
  const { code, stdout, stderr } = await result;
  assert.equal(code, 0, stdout + stderr);
  return stdout;
}

/** The environment after `eval "$(tiphys etcd env)"`, as the manual has it. */
async function environment(dataDir: string): Promise<NodeJS.ProcessEnv> {
  const command = [process.execPath, ...base, "env", "--data-dir", dataDir].join(" ");
  const variables = await ok(execute("sh", ["-c", `eval "$(${command})" && env`]));
  return Object.fromEntries(
    variables.split("\n").map((line) => [line.slice(0, line.indexOf("=")), line.slice(line.indexOf("=") + 1)]),
  );
}

function scratch(): { readonly path: string } & Disposable {
  const path = mkdtempSync(join(tmpdir(), "tiphys-etcd-cli-"));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) };
}

/** `tiphys etcd` on a data directory until disposed. */
async function serve(dataDir: string): Promise<{ readonly url: string } & AsyncDisposable> {
  const url = `https://127.0.0.1:${await freePort()}`;
  const child = spawn(process.execPath, [...base, "--data-dir", dataDir, "--listen-client-urls", url], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  const exited = new Promise((resolve) => child.on("exit", resolve));
  await new Promise<void>((resolve, reject) => {
    let output = "";
    child.stderr.on("data", (data: Buffer) => {
      output += data.toString();
      if (output.includes("started")) resolve();
    });
    child.on("exit", () => reject(new Error(output)));
  });
  return {
    url,
    [Symbol.asyncDispose]: async () => {
      child.kill("SIGTERM");
      await exited;
    },
  };
}

suite("tiphys etcd", { skip: needs("etcd", "etcdctl"), timeout: 600_000 }, () => {
  test("serves etcdctl with the environment it prints, saves while it runs, is checked and compacted when it does not", async () => {
    using directory = scratch();
    const [data, file] = [join(directory.path, "data"), join(directory.path, "save.db")];
    const refused = await tiphysEtcd("env", "--data-dir", data);
    assert.deepEqual([refused.code, refused.stdout], [1, ""]);
    assert.match(refused.stderr, /none is served; start it with/);
    {
      await using _server = await serve(data);
      const env = await environment(data);
      const etcdctl = (line: string): Promise<string> => ok(execute("etcdctl", line.split(" "), env));
      for (let i = 0; i < 5; i++) await etcdctl(`put /registry/pods/default/a ${i}`);
      await etcdctl("put /registry/pods/default/b 1");
      const keys = await etcdctl("get / --prefix --keys-only");
      assert.equal(keys, "/registry/pods/default/a\n\n/registry/pods/default/b\n\n");
      for (const call of ["endpoint status", "endpoint hashkv", "endpoint health", "defrag", "member list"]) {
        await etcdctl(call);
      }
      const busy = await tiphysEtcd("check", "--data-dir", data);
      assert.equal(busy.code, 1);
      assert.match(busy.stderr, /tiphys with pid \d+ is using it: stop it/);
      assert.match(await ok(tiphysEtcd("snapshot", "save", file, "--data-dir", data)), /revision +7\n.*\nkeys +2\nversions +6\n/);
    }
    const status = JSON.parse(
      await ok(execute("etcdctl", ["snapshot", "status", file, "-w", "json"], { ...process.env, ETCDCTL_API: "3" })),
    );
    const ours = JSON.parse(await ok(tiphysEtcd("snapshot", "status", file, "--output", "json")));
    assert.deepEqual([ours.hash, ours.revision], [status.hash, status.revision]);

    assert.match(await ok(tiphysEtcd("check", "--data-dir", data)), /is sound: 6 rows, 0 leases, revision 7, compacted 0/);
    assert.match(await ok(tiphysEtcd("compact", "--data-dir", data, "--revision", "5")), /Compacted at revision 5/);
    assert.match(await ok(tiphysEtcd("check", "--data-dir", data)), /is sound: 3 rows, 0 leases, revision 7, compacted 5/);
    const again = await tiphysEtcd("snapshot", "restore", file, "--data-dir", data);
    assert.equal(again.code, 1);
    assert.match(again.stderr, /something is there; move it away first/);

    const restored = join(directory.path, "restored");
    await ok(tiphysEtcd("snapshot", "restore", file, "--data-dir", restored, "--bump-revision", "1000", "--mark-compacted"));
    assert.match(await ok(tiphysEtcd("check", "--data-dir", restored)), /revision 1007, compacted 1007/);
  });

  test("check finds a flipped byte in a value and says where", async () => {
    using directory = scratch();
    const data = join(directory.path, "data");
    {
      await using _server = await serve(data);
      const env = await environment(data);
      for (const key of ["/a", "/b", "/c"]) await ok(execute("etcdctl", ["put", key, "value"], env));
    }
    const database = new DatabaseSync(join(data, "store/store.db"));
    database.exec("UPDATE changes SET value=x'76616c7566' WHERE row=2");
    database.close();
    const { code, stderr } = await tiphysEtcd("check", "--data-dir", data);
    assert.equal(code, 1);
    assert.match(stderr, /row 2 \(key "\/b", revision 3\) does not match its checksum/);
    assert.match(stderr, /restore a snapshot/);
  });

  test("migrate brings a real etcd with its history into a data directory and back into a new etcd, with the same hash", async () => {
    using directory = scratch();
    const data = join(directory.path, "data");
    using etcd = await startRealEtcd();
    await using store = await etcd.connect();
    for (let i = 0; i < 20; i++) {
      await store.transact({ if: [], then: [{ kind: "put", key: `/k/${i % 7}`, value: Buffer.from(String(i)) }] });
    }
    const said = await ok(tiphysEtcd("migrate", "--from", etcd.url, "--to", data));
    assert.match(said, /Migrated 7 keys in 20 versions .* at revision 21 on both sides/);
    const copy = join(directory.path, "copy");
    assert.match(await ok(tiphysEtcd("migrate", "--from", data, "--to", copy)), /Migrated 7 keys/);
    const full = await tiphysEtcd("migrate", "--from", data, "--to", etcd.url);
    assert.equal(full.code, 1);
    assert.match(full.stderr, /it is at revision 21, and only a new one takes older revisions/);
    await ok(tiphysEtcd("compact", "--data-dir", data, "--revision", "15"));
    using empty = await startRealEtcd();
    assert.match(await ok(tiphysEtcd("migrate", "--from", data, "--to", empty.url)), /hash \d+ at revision 21 on both sides/);
  });

  test("plan prints the quorum table and a warning where there is one", async () => {
    const { code, stdout, stderr } = await tiphysEtcd("plan", "--members=2");
    assert.equal(code, 0);
    assert.match(stdout, /^MEMBERS {2}QUORUM {2}MAY FAIL\n1 +1 +0/);
    assert.match(stderr, /^warning: 2 members: /);
    assert.equal((await tiphysEtcd("plan", "--members", "5")).stderr, "");
  });

  test("an API server of another process keeps its objects in tiphys etcd", { skip: needs("kubectl") }, async () => {
    using directory = scratch();
    const data = join(directory.path, "data");
    await using server = await serve(data);
    const pki = join(data, "pki");
    const flags = [
      "--etcd-servers",
      server.url,
      "--etcd-cafile",
      join(pki, "etcd/ca.crt"),
      "--etcd-certfile",
      join(pki, "apiserver-etcd-client.crt"),
      "--etcd-keyfile",
      join(pki, "apiserver-etcd-client.key"),
    ];
    await using cluster = await startTiphys(["--nodes", "0", "--sim-nodes", "1", "--store", "etcd", ...flags]);
    assert.equal((await cluster.kubectl("create", "deployment", "web", "--image=nginx", "--replicas=2")).code, 0);
    const done = await cluster.kubectl("rollout", "status", "deployment/web", "--timeout=60s");
    assert.equal(done.code, 0, done.stderr + cluster.output());
    const get = ["get", "/registry/pods/default/", "--prefix", "--keys-only"];
    const pods = await ok(execute("etcdctl", get, await environment(data)));
    assert.equal(pods.trim().split(/\n+/).length, 2);
  });
});
