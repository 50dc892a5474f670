// Simulated nodes against the real API server, all in this process: pods become Ready and go away gracefully.
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  configMaps,
  isNotFound,
  leases,
  nodes,
  type Pod,
  pods,
  type Stored,
  serviceAccounts,
  simulatedNodeLabel,
  simulateNodeAnnotation,
} from "#api";
import { startApiServer } from "#apiserver";
import { seededRandom, silentLog, systemFiles, VirtualClock } from "#base";
import { type Client, createClient, inProcessTransport } from "#client";
import { startSimNodes } from "#sim";
import { openMemoryStore } from "#store";

async function cluster(count: number) {
  const clock = new VirtualClock();
  const random = seededRandom(1);
  const server = await startApiServer(
    { listen: false },
    { store: openMemoryStore({ clock }), clock, random, files: systemFiles, log: silentLog },
  );
  const watched: string[] = [];
  const handle: typeof server.handle = (request) => {
    if (request.query["watch"] !== undefined) watched.push(request.path);
    return server.handle(request);
  };
  const clientAs = (name: string, groups: readonly string[]): Client =>
    createClient(inProcessTransport(handle, { user: { name, groups: [...groups, "system:authenticated"] }, userAgent: "test" }));
  const client = clientAs("admin", ["system:masters"]);
  await client.create(serviceAccounts, { metadata: { name: "default", namespace: "default" } });
  const sim = await startSimNodes(
    { count, serveCreated: true },
    {
      client,
      clientFor: (name) => clientAs(`system:node:${name}`, ["system:nodes", "system:masters"]),
      clock,
      random,
      log: silentLog,
    },
  );
  return {
    clock,
    client,
    sim,
    /** Paths of the watches so far. */
    watched,
    [Symbol.asyncDispose]: async () => {
      await sim[Symbol.asyncDispose]();
      await server[Symbol.asyncDispose]();
    },
  };
}

const pod = (name: string, spec: Partial<Pod["spec"]> = {}, annotations: Record<string, string> = {}): Pod => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name, namespace: "default", annotations },
  spec: { nodeName: "sim-0", automountServiceAccountToken: false, containers: [{ name: "app", image: "app:1" }], ...spec },
});

const ready = (object: Stored<Pod> | undefined): boolean =>
  object?.status?.conditions?.some(({ type, status }) => type === "Ready" && status === "True") ?? false;

async function until(
  client: Client,
  clock: VirtualClock,
  name: string,
  holds: (object: Stored<Pod>) => boolean,
  limitMs = 60_000,
): Promise<Stored<Pod>> {
  const end = clock.now() + limitMs;
  for (;;) {
    const found = await client.get(pods, { namespace: "default", name });
    if (holds(found)) return found;
    assert.ok(clock.now() < end, `pod ${name}: ${JSON.stringify(found.status)}`);
    await clock.advance(100);
  }
}

test("a pod on a simulated node becomes Running and Ready, and is deleted gracefully", async () => {
  await using it = await cluster(2);
  assert.equal((await it.client.list(nodes)).items.length, 2);
  await it.client.create(pods, pod("web"));
  const running = await until(it.client, it.clock, "web", ready);
  assert.equal(running.status?.phase, "Running");
  assert.match(running.status?.podIP ?? "", /^10\.128\.0\./);
  await it.client.delete(pods, { namespace: "default", name: "web" });
  await it.clock.advance(1000);
  await assert.rejects(it.client.get(pods, { namespace: "default", name: "web" }), isNotFound);
});

test("a job on a simulated node runs as long as its command says, and ends as it says", async () => {
  await using it = await cluster(1);
  const spec = (script: string) => ({
    restartPolicy: "Never",
    containers: [{ name: "app", image: "app:1", command: ["sh", "-c", script] }],
  });
  await it.client.create(pods, pod("good", spec("sleep 5")));
  await it.client.create(pods, pod("bad", spec("sleep 2; exit 3")));
  await until(it.client, it.clock, "good", ready);
  await it.clock.advance(4_000);
  assert.equal((await it.client.get(pods, { namespace: "default", name: "good" })).status?.phase, "Running");
  const good = await until(it.client, it.clock, "good", (object) => object.status?.phase === "Succeeded", 3_000);
  assert.equal(good.status?.containerStatuses?.[0]?.state?.terminated?.reason, "Completed");
  const bad = await until(it.client, it.clock, "bad", (object) => object.status?.phase === "Failed", 1_000);
  assert.equal(bad.status?.containerStatuses?.[0]?.state?.terminated?.exitCode, 3);
});

test("pods of one node and of all nodes have addresses of their own", async () => {
  await using it = await cluster(3);
  for (let i = 0; i < 12; i++) await it.client.create(pods, pod(`p${i}`, { nodeName: `sim-${i % 3}` }));
  for (let i = 0; i < 12; i++) await until(it.client, it.clock, `p${i}`, ready);
  const addresses = (await it.client.list(pods, { namespace: "default" })).items.map(({ status }) => status?.podIP);
  assert.equal(new Set(addresses).size, 12);
});

test("a node that is down renews no lease and runs nothing; up again it catches up", async () => {
  await using it = await cluster(2);
  await it.client.create(pods, pod("old"));
  await until(it.client, it.clock, "old", ready);
  await it.clock.advance(20_000);
  const renewed = async (name: string) => (await it.client.get(leases, { namespace: "kube-node-lease", name })).spec?.renewTime;
  it.sim.setDown("sim-0", true);
  await it.clock.advance(1_000);
  const [down, up] = [await renewed("sim-0"), await renewed("sim-1")];
  await it.client.create(pods, pod("new"));
  await it.client.delete(pods, { namespace: "default", name: "old" });
  await it.clock.advance(30_000);
  assert.equal(await renewed("sim-0"), down);
  assert.notEqual(await renewed("sim-1"), up);
  assert.equal((await it.client.get(pods, { namespace: "default", name: "new" })).status?.phase, "Pending");
  assert.ok((await it.client.get(pods, { namespace: "default", name: "old" })).metadata.deletionTimestamp);
  it.sim.setDown("sim-0", false);
  await until(it.client, it.clock, "new", ready);
  await it.clock.advance(15_000);
  await assert.rejects(it.client.get(pods, { namespace: "default", name: "old" }), isNotFound);
  assert.notEqual(await renewed("sim-0"), down);
});

test("a missing config map keeps a pod of a simulated node waiting, as on a real one", async () => {
  await using it = await cluster(1);
  await it.client.create(
    pods,
    pod("web", {
      volumes: [{ name: "c", configMap: { name: "late" } }],
      containers: [{ name: "app", image: "app:1", volumeMounts: [{ name: "c", mountPath: "/c" }] }],
    }),
  );
  await it.clock.advance(5_000);
  assert.equal(
    (await it.client.get(pods, { namespace: "default", name: "web" })).status?.containerStatuses?.[0]?.state?.waiting?.reason,
    "ContainerCreating",
  );
  await it.client.create(configMaps, { metadata: { name: "late", namespace: "default" } });
  await until(it.client, it.clock, "web", ready);
});

const createdNode = (name: string) => ({
  metadata: { name, labels: { [simulatedNodeLabel]: "true", own: "label" }, annotations: { [simulateNodeAnnotation]: "true" } },
  spec: {},
});

async function eventually(clock: VirtualClock, holds: () => boolean): Promise<void> {
  for (let i = 0; i < 600 && !holds(); i++) await clock.advance(100);
  assert.ok(holds());
}

test("a node that somebody creates with the annotation becomes Ready and runs pods", async () => {
  await using it = await cluster(1);
  const { clock, client, sim } = it;
  await client.create(pods, pod("waiting", { nodeName: "mine" }));
  await client.create(nodes, { metadata: { name: "other" }, spec: {} });
  await client.create(nodes, createdNode("mine"));
  await client.create(nodes, createdNode("mine-too"));
  await until(client, clock, "waiting", ready);
  await eventually(clock, () => sim.server("mine-too") !== undefined);
  const get = (name: string) => client.get(nodes, { name });
  const [mine, second, first, other] = await Promise.all([get("mine"), get("mine-too"), get("sim-0"), get("other")]);
  const isReady = (node: typeof mine) =>
    node.status?.conditions?.some(({ type, status }) => type === "Ready" && status === "True");
  assert.deepEqual([mine, second, first].map(isReady), [true, true, true]);
  assert.notEqual(isReady(other), true);
  assert.equal(mine.metadata.labels?.["own"], "label");
  assert.equal(mine.metadata.labels?.["kubernetes.io/hostname"], "mine");
  assert.equal(new Set([mine, second, first].map((node) => node.spec?.podCIDR)).size, 3);
  assert.equal(new Set([mine, second, first].map((node) => node.status?.addresses?.[0]?.address)).size, 3);
  await clock.advance(60_000);
  const { spec } = await client.get(leases, { namespace: "kube-node-lease", name: "mine" });
  assert.equal(spec?.holderIdentity, "mine");
});

test("pods are watched from the first node on", async () => {
  await using it = await cluster(0);
  await it.clock.advance(1_000);
  assert.deepEqual(it.watched, ["/api/v1/nodes"]);
  await it.client.create(nodes, createdNode("mine"));
  await eventually(it.clock, () => it.sim.server("mine") !== undefined);
  assert.deepEqual(it.watched, ["/api/v1/nodes", "/api/v1/pods"]);
});

test("a created node that is deleted is served no more, and may come again", async () => {
  await using it = await cluster(0);
  const { clock, client, sim } = it;
  await client.create(nodes, createdNode("mine"));
  await eventually(clock, () => sim.server("mine") !== undefined);
  await client.delete(nodes, { name: "mine" });
  await eventually(clock, () => sim.server("mine") === undefined);
  await clock.advance(60_000);
  await assert.rejects(client.get(nodes, { name: "mine" }), isNotFound);
  await client.create(nodes, createdNode("mine"));
  await eventually(clock, () => sim.server("mine") !== undefined);
  await client.create(pods, pod("again", { nodeName: "mine" }));
  await until(client, clock, "again", ready);
});
