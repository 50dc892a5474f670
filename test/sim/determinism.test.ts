// A whole cluster on virtual time: the same seed gives the same run, to the byte; another seed another one.
// TIPHYS_SIM_SEEDS and TIPHYS_SIM_REPLICAS make it larger than what `npm test` runs.
import assert from "node:assert/strict";
import { test } from "node:test";
import { type Deployment, deployments, pods } from "#api";
import { type Log, silentLog } from "#base";
import { createCluster } from "#cluster";

const seeds = Number(process.env.TIPHYS_SIM_SEEDS ?? 100);
const replicas = Number(process.env.TIPHYS_SIM_REPLICAS ?? 5);
const simNodes = Number(process.env.TIPHYS_SIM_NODES ?? 3);

const deployment = (name: string, count: number): Deployment => ({
  metadata: { name, namespace: "default" },
  spec: {
    replicas: count,
    selector: { matchLabels: { app: name } },
    template: { metadata: { labels: { app: name } }, spec: { containers: [{ name: "a", image: "nginx" }] } },
  },
});

/** A deployment becomes Ready, loses a pod and gets it back; returns the hash of all that was ever stored. */
async function run(seed: number, wire = false): Promise<string> {
  await using cluster = await createCluster({ simNodes, seed, wire });
  const { client } = cluster;
  const ref = { namespace: "default", name: "web" };
  await client.create(deployments, deployment(ref.name, replicas));
  const isReady = async (): Promise<boolean> => {
    const { status } = await client.get(deployments, ref);
    return status?.readyReplicas === replicas && status.terminatingReplicas === 0;
  };
  await cluster.until(isReady, 300_000);
  const [victim] = (await client.list(pods, { namespace: "default" })).items;
  assert.ok(victim);
  await client.delete(pods, { namespace: "default", name: victim.metadata.name });
  await cluster.until(
    async () =>
      (await isReady()) &&
      (await client.list(pods, { namespace: "default" })).items.every((pod) => pod.metadata.uid !== victim.metadata.uid),
    300_000,
  );
  return cluster.traceHash();
}

test(`${seeds} seeds give the same hash in two runs`, async () => {
  const hashes = new Set<string>();
  for (let seed = 1; seed <= seeds; seed++) {
    const first = await run(seed);
    assert.equal(await run(seed), first, `seed ${seed}`);
    hashes.add(first);
  }
  assert.equal(hashes.size, seeds, "different seeds give different runs");
});

test("what is forced over the wire has the same history", async () => assert.equal(await run(7, true), await run(7)));

test("fork() gives a second cluster with the same objects and a future of its own", async () => {
  await using first = await createCluster({ simNodes: 2, seed: 3 });
  await first.client.create(deployments, deployment("web", 2));
  const ready = (cluster: typeof first, count: number) => async () =>
    (await cluster.client.get(deployments, { namespace: "default", name: "web" })).status?.readyReplicas === count;
  await first.until(ready(first, 2));
  await using second = await first.fork({ seed: 4 });
  await second.client.patch(
    deployments,
    { namespace: "default", name: "web" },
    { type: "merge", body: { spec: { replicas: 4 } } },
  );
  await second.until(ready(second, 4));
  assert.equal((await first.client.list(pods, { namespace: "default" })).items.length, 2);
});

test("a cluster that cannot start stops what it had started", async () => {
  const stopped: unknown[] = [];
  const log: Log = {
    ...silentLog,
    debug: (message, fields) => message === "stopped" && stopped.push(fields?.part),
    child: () => silentLog,
  };
  await assert.rejects(createCluster({ controllers: ["no-such-controller"], log }), /no-such-controller/);
  assert.deepEqual(stopped, ["apiserver", "trace"]);
});

test("a fault on one component is survived", async () => {
  await using cluster = await createCluster({ simNodes: 2, seed: 5 });
  cluster.faults.add({
    component: "replicaset-controller",
    probability: 0.3,
    effect: "unknown-outcome",
    matches: (request) => request.method === "POST",
  });
  await cluster.client.create(deployments, deployment("web", 6));
  await cluster.until(
    async () => (await cluster.client.get(deployments, { namespace: "default", name: "web" })).status?.readyReplicas === 6,
    600_000,
  );
  assert.equal(
    (await cluster.client.list(pods, { namespace: "default" })).items.filter(
      (pod) => pod.metadata.deletionTimestamp === undefined,
    ).length,
    6,
  );
});
