// The store on the wire: a real etcd underneath, and etcd's own client on ours.
import assert from "node:assert/strict";
import { test } from "node:test";
import { freePort, startRealEtcd } from "../store/support/real-etcd.ts";
import { needs, run, startTiphys } from "../support/tiphys.ts";

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

test("tiphys up --etcd-listen serves etcdctl with certificates, and a deletion there is seen by clients", {
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
  assert.equal((await etcdctl(["del", "/registry/configmaps/default/seen"])).stdout.trim(), "1");
  assert.notEqual((await cluster.kubectl("get", "configmap", "seen")).code, 0);
});
