// Simulated nodes against the real API server, all in this process: pods become Ready and go away gracefully.
import assert from "node:assert/strict";
import { test } from "node:test";
import { isNotFound, nodes, type Pod, pods, type Stored, serviceAccounts } from "#api";
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
  const clientAs = (name: string, groups: readonly string[]): Client =>
    createClient(
      inProcessTransport(server.handle, { user: { name, groups: [...groups, "system:authenticated"] }, userAgent: "test" }),
    );
  const client = clientAs("admin", ["system:masters"]);
  await client.create(serviceAccounts, { metadata: { name: "default", namespace: "default" } });
  const sim = await startSimNodes(
    { count },
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
