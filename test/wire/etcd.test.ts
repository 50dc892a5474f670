// The store on the wire: a real etcd underneath, and etcd's own client on ours.
import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { freePort, startRealEtcd } from "../store/support/real-etcd.ts";
import { needs, run, startTiphys, type Tiphys } from "../support/tiphys.ts";

test("tiphys up --store etcd runs on a real etcd", { skip: needs("etcd", "kubectl") }, async () => {
  using etcd = await startRealEtcd();
  const { url } = etcd;
  await using cluster = await startTiphys(["--nodes", "0", "--sim-nodes", "2", "--store", "etcd", "--etcd-servers", url]);
  assert.equal((await cluster.kubectl("create", "deployment", "web", "--image=nginx", "--replicas=3")).code, 0);
  const done = await cluster.kubectl("rollout", "status", "deployment/web", "--timeout=60s");
  assert.equal(done.code, 0, done.stderr + cluster.output());
  const keys = await run("etcdctl", ["--endpoints", url, "get", "/registry/pods/default/", "--prefix", "--keys-only"], {
    env: { ETCDCTL_API: "3" },
  });
  assert.equal(keys.stdout.trim().split(/\n+/).length, 3);
});

test("tiphys up --etcd-listen serves etcdctl with certificates, and what is written or deleted there is seen by clients", {
  skip: needs("etcdctl", "kubectl"),
}, async () => {
  const port = await freePort();
  await using cluster = await startTiphys(["--nodes", "0", "--sim-nodes", "0", "--etcd-listen", `127.0.0.1:${port}`]);
  const pki = `${cluster.info.dataDir}/pki`;
  const etcdctl = (args: readonly string[], certificates = true) =>
    run(
      "etcdctl",
      [
        "--endpoints",
        `https://127.0.0.1:${port}`,
        "--cacert",
        `${pki}/etcd/ca.crt`,
        ...(certificates ? ["--cert", `${pki}/apiserver-etcd-client.crt`, "--key", `${pki}/apiserver-etcd-client.key`] : []),
        ...args,
      ],
      {
        env: { ETCDCTL_API: "3" },
        timeoutMs: 20_000,
      },
    );
  assert.equal((await cluster.kubectl("create", "configmap", "seen", "--from-literal=a=b")).code, 0);
  const got = await etcdctl(["get", "/registry/configmaps/default/seen", "--print-value-only"]);
  assert.deepEqual((JSON.parse(got.stdout) as { data: unknown }).data, { a: "b" }, got.stderr);
  assert.notEqual((await etcdctl(["get", "/", "--prefix", "--keys-only"], false)).code, 0);

  const added = cluster.kubectl("wait", "--for=create", "configmap/put", "--timeout=60s");
  const deleted = cluster.kubectl("wait", "--for=delete", "configmap/seen", "--timeout=60s");
  const put = got.stdout.replaceAll('"seen"', '"put"');
  assert.equal((await etcdctl(["put", "/registry/configmaps/default/put", put])).code, 0);
  assert.equal((await etcdctl(["del", "/registry/configmaps/default/seen"])).stdout.trim(), "1");
  for (const { code, stdout, stderr } of await Promise.all([added, deleted])) assert.equal(code, 0, stdout + stderr);
  assert.notEqual((await cluster.kubectl("get", "configmap", "seen")).code, 0);
});

test("the store is the only truth: with everything else removed from the data directory the same cluster returns", {
  skip: needs("kubectl"),
}, async () => {
  const dataDir = mkdtempSync(join(tmpdir(), "tiphys-only-store-"));
  try {
    const flags = ["--nodes", "0", "--sim-nodes", "1"];
    const identities = async (cluster: Tiphys): Promise<readonly string[]> => {
      const { code, stdout, stderr } = await cluster.kubectl("get", "deployments,replicasets,pods,services,nodes", "-o", "json");
      assert.equal(code, 0, stderr);
      const { items } = JSON.parse(stdout) as { items: readonly { kind: string; metadata: { name: string; uid: string } }[] };
      return items.map(({ kind, metadata }) => `${kind} ${metadata.name} ${metadata.uid}`).sort();
    };
    let before: readonly string[];
    {
      await using cluster = await startTiphys(flags, { dataDir });
      assert.equal((await cluster.kubectl("create", "deployment", "web", "--image=nginx", "--replicas=2")).code, 0);
      const done = await cluster.kubectl("rollout", "status", "deployment/web", "--timeout=60s");
      assert.equal(done.code, 0, done.stderr + cluster.output());
      before = await identities(cluster);
      assert.ok(before.length >= 6, String(before));
      await cluster.stop();
    }
    for (const name of readdirSync(dataDir)) if (name !== "store") rmSync(join(dataDir, name), { recursive: true });
    await using cluster = await startTiphys(flags, { dataDir });
    assert.deepEqual(await identities(cluster), before);
    const done = await cluster.kubectl("rollout", "status", "deployment/web", "--timeout=60s");
    assert.equal(done.code, 0, done.stderr + cluster.output());
  } finally {
    rmSync(dataDir, { recursive: true, force: true });
  }
});
