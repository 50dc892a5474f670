// A library cluster's own HTTPS port: programs outside the test speak to it like to any other.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { configMaps, deployments } from "#api";
import { createCluster } from "#cluster";
import { kubectl, needs } from "../support/tiphys.ts";

test("kubectl works with the kubeconfig of a library cluster, on virtual time", { skip: needs("kubectl") }, async () => {
  const directory = mkdtempSync(join(tmpdir(), "library-"));
  const file = join(directory, "kubeconfig");
  let server = "";
  {
    await using cluster = await createCluster({ simNodes: 2 });
    const text = await cluster.kubeconfig();
    assert.equal(await cluster.kubeconfig(), text, "a second call opens no second port");
    server = /server: (.*)/.exec(text)?.[1] ?? "";
    writeFileSync(file, text);
    const created = await kubectl(file, ["create", "deployment", "web", "--image=nginx", "--replicas=2"]);
    assert.equal(created.stdout, "deployment.apps/web created\n", created.stderr);
    const ref = { namespace: "default", name: "web" };
    await cluster.until(async () => (await cluster.client.get(deployments, ref)).status?.readyReplicas === 2);
    const listed = await kubectl(file, ["get", "deployment", "web", "--no-headers"]);
    assert.match(listed.stdout, /^web +2\/2 +2 +2 /);
    writeFileSync(file, text.replace(/token: .*/, "token: guessed"));
    const guessed = await kubectl(file, ["create", "configmap", "x"]);
    assert.match(guessed.stderr, /Unauthorized|must be logged in/);
    assert.equal((await cluster.client.list(configMaps, { namespace: "default" })).items.length, 1, "only kube-root-ca.crt");
  }
  // the port is closed with the cluster
  await assert.rejects(
    fetch(`${server}/livez`),
    (error: Error) => (error.cause as NodeJS.ErrnoException).code === "ECONNREFUSED",
  );
  rmSync(directory, { recursive: true, force: true });
});
