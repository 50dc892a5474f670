// What `tiphys ns create` makes, on a whole API server.
import assert from "node:assert/strict";
import { test } from "node:test";
import { limitRanges, type Namespace, namespaces, networkPolicies, type Pod, pods, resourceQuotas, serviceAccounts } from "#api";
import { createCluster } from "./create-cluster.ts";
import { createNamespace, type Isolation } from "./isolated-namespace.ts";

const isolation: Isolation = { cpu: "1", memory: "1Gi", pods: 2, podSecurity: "baseline" };
const pod = (name: string): Pod => ({
  metadata: { name, namespace: "team" },
  spec: { containers: [{ name: "a", image: "nginx" }] },
});

test("an isolated namespace is what kubectl would show of it, its quota counts what its limit range gives, and no pod may be the node's", async () => {
  await using cluster = await createCluster({ simNodes: 1, seed: 1 });
  const { client } = cluster;
  assert.deepEqual(await createNamespace("team", isolation, { client }), [
    "namespace/team",
    "networkpolicy.networking.k8s.io/isolated",
    "resourcequota/isolated",
    "limitrange/isolated",
  ]);
  const { labels } = (await client.get(namespaces, { name: "team" })).metadata;
  assert.equal(labels?.["pod-security.kubernetes.io/enforce"], "baseline");
  assert.equal(labels?.["pod-security.kubernetes.io/warn"], "restricted");
  const ref = { namespace: "team", name: "isolated" };
  const takesPods = async (): Promise<boolean> =>
    (await client.get(resourceQuotas, ref)).status?.hard !== undefined &&
    (await client.list(serviceAccounts, { namespace: "team" })).items.length > 0;
  await cluster.until(takesPods, 60_000);
  // containers get half a processor each: two fit
  await client.create(pods, pod("a"));
  await client.create(pods, pod("b"));
  await assert.rejects(
    client.create(pods, pod("c")),
    /pods "c" is forbidden: exceeded quota: isolated, requested: limits.cpu=500m/,
  );
});

test("without isolation there is a namespace and nothing in it", async () => {
  await using cluster = await createCluster({ simNodes: 1, seed: 1 });
  const { client } = cluster;
  assert.deepEqual(await createNamespace("plain", undefined, { client }), ["namespace/plain"]);
  for (const type of [networkPolicies, resourceQuotas, limitRanges])
    assert.deepEqual((await client.list<Namespace>(type as never, { namespace: "plain" })).items, []);
});

test("a namespace that is there is not touched, and one that cannot be completed does not stay", async () => {
  await using cluster = await createCluster({ simNodes: 1, seed: 1 });
  const { client } = cluster;
  await createNamespace("team", undefined, { client });
  await assert.rejects(createNamespace("team", isolation, { client }), { message: 'namespaces "team" already exists' });
  assert.deepEqual((await client.list(networkPolicies, { namespace: "team" })).items, []);
  await assert.rejects(createNamespace("other", { ...isolation, memory: "much" }, { client }), /quantit/);
  const isGone = async (): Promise<boolean> =>
    (await client.list(namespaces)).items.every(
      ({ metadata }) => metadata.name !== "other" || metadata.deletionTimestamp !== undefined,
    );
  assert.ok(await isGone());
});
