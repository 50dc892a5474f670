// Health over real HTTP: the proxy's own, and the one load balancers ask per service.
import assert from "node:assert/strict";
import { test } from "node:test";
import { nodes, type Service } from "#api";
import { seededRandom, silentLog, VirtualClock } from "#base";
import { createClient, createFakeApi, createInformerFactory } from "#client";
import { type HealthServer, ServiceHealthServers, serveHealth } from "./health-server.ts";
import { planService } from "./plan.ts";
import { startProxy } from "./start.ts";
import { endpoint, node, service, slice } from "./testing/objects.ts";

const anyPort = { address: "127.0.0.1", port: 0 };
const get = async (port: number | undefined, path: string) => {
  const response = await fetch(`http://127.0.0.1:${port}${path}`);
  return { code: response.status, headers: response.headers, body: await response.text() };
};

test("/healthz follows the rules and the node's fate, /livez only the rules, /proxyMode says the mode", async () => {
  const clock = new VirtualClock();
  const api = createFakeApi({ clock });
  await using informers = createInformerFactory({ client: createClient(api), clock, random: seededRandom(1), log: silentLog });
  const processes = { run: async () => ({ code: 0, stdout: "", stderr: "" }), start: () => assert.fail(), signal: () => false };
  await using proxy = await startProxy(
    { mode: "nftables", nodeName: "n1", nodeIps: ["192.0.2.1"], clusterCidr: "", healthz: anyPort, status: anyPort },
    { informers, clock, processes, log: silentLog },
  );
  const codes = async (): Promise<number[]> => [
    (await get(proxy.healthzPort, "/healthz")).code,
    (await get(proxy.healthzPort, "/livez")).code,
  ];
  assert.deepEqual(await codes(), [503, 503], "nothing is listed yet");
  api.put(nodes, { metadata: { name: "n1" }, spec: {} });
  informers.start();
  await clock.advance(0);
  assert.deepEqual(await codes(), [200, 200]);
  assert.deepEqual(JSON.parse((await get(proxy.healthzPort, "/healthz")).body), {
    lastUpdated: "2026-01-01T00:00:00.000Z",
    currentTime: "2026-01-01T00:00:00.000Z",
    nodeEligible: true,
  });
  api.put(nodes, {
    metadata: { name: "n1" },
    spec: { taints: [{ key: "ToBeDeletedByClusterAutoscaler", effect: "NoSchedule" }] },
  });
  await clock.advance(0);
  assert.deepEqual(await codes(), [503, 200]);
  assert.deepEqual(
    [(await get(proxy.statusPort, "/proxyMode")).body, (await get(proxy.statusPort, "/other")).code],
    ["nftables", 404],
  );
});

test("startProxy() says which address is taken, and opens nothing else", async () => {
  const clock = new VirtualClock();
  await using taken = await serveHealth(anyPort, () => undefined);
  const informers = createInformerFactory({
    client: createClient(createFakeApi({ clock })),
    clock,
    random: seededRandom(1),
    log: silentLog,
  });
  const processes = { run: async () => ({ code: 0, stdout: "", stderr: "" }), start: () => assert.fail(), signal: () => false };
  await assert.rejects(
    startProxy(
      { mode: "nftables", nodeName: "n1", nodeIps: [], clusterCidr: "", healthz: { ...anyPort, port: taken.port } },
      { informers, clock, processes, log: silentLog },
    ),
    { message: new RegExp(`^Cannot listen on 127\\.0\\.0\\.1:${taken.port}: `) },
  );
});

test("a load balancer asks a service's own port whether this node has endpoints", async () => {
  const free: HealthServer = await serveHealth(anyPort, () => undefined);
  const { port } = free;
  await free[Symbol.asyncDispose]();
  const object = (more: Partial<Service["spec"]> = {}): Service =>
    service("web", {
      type: "LoadBalancer",
      clusterIP: "10.96.0.10",
      externalTrafficPolicy: "Local",
      healthCheckNodePort: port,
      ...more,
    });
  const health = (spec: Partial<Service["spec"]>, nodeNumber: number) =>
    planService(object(spec), [slice("web", [endpoint(1, nodeNumber)])], node)?.health;
  await using servers = new ServiceHealthServers({ log: silentLog, isHealthy: () => true });

  await servers.put("default/web", health({}, 1));
  const here = await get(port, "/");
  assert.equal(here.code, 200);
  assert.equal(here.headers.get("x-load-balancing-endpoint-weight"), "1");
  assert.deepEqual(JSON.parse(here.body), {
    service: { namespace: "default", name: "web" },
    localEndpoints: 1,
    serviceProxyHealthy: true,
  });

  await servers.put("default/web", health({}, 2));
  assert.equal((await get(port, "/healthz")).code, 503);
  assert.equal(health({ externalTrafficPolicy: "Cluster" }, 1), undefined);
  assert.equal(health({ type: "NodePort" }, 1), undefined);
  await servers.put("default/web", undefined);
  await assert.rejects(get(port, "/"));
});
