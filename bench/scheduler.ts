// Pods scheduled per second: the decision alone, and through our API server in the same process. Writes one line of JSON per figure.
// Usage: node bench/scheduler.ts [nodes] [pods]

import { nodes, type Pod, pods, serviceAccounts } from "#api";
import { startApiServer } from "#apiserver";
import { seededRandom, silentLog, systemClock, systemFiles } from "#base";
import { createClient, createEvents, createInformerFactory, inProcessTransport } from "#client";
import { startScheduler } from "#scheduler";
import { openMemoryStore } from "#store";

const nodeCount = Number(process.argv[2] ?? 1000);
const podCount = Number(process.argv[3] ?? 3000);

async function throughApiServer(): Promise<void> {
  const clock = systemClock;
  const random = seededRandom(1);
  await using server = await startApiServer(
    { listen: false },
    { store: openMemoryStore({ clock }), clock, random, files: systemFiles, log: silentLog },
  );
  const as = (name: string, groups: readonly string[]) =>
    createClient(inProcessTransport(server.handle, { user: { name, groups }, userAgent: "bench" }));
  const admin = as("admin", ["system:masters", "system:authenticated"]);
  const client = as("system:kube-scheduler", ["system:authenticated"]);
  await admin.create(serviceAccounts, { metadata: { name: "default", namespace: "default" } });
  const allocatable = { cpu: "32", memory: "64Gi", pods: "110" };
  for (let i = 0; i < nodeCount; i++) {
    const name = `n${i}`;
    await admin.create(nodes, { metadata: { name, labels: { "kubernetes.io/hostname": name } }, spec: {} });
    await admin.patch(
      nodes,
      { name },
      { type: "merge", body: { status: { allocatable, capacity: allocatable } } },
      { subresource: "status" },
    );
    await admin.patch(nodes, { name }, { type: "merge", body: { spec: { taints: null } } });
  }
  await using informers = createInformerFactory({ client, clock, random, log: silentLog });
  await using events = createEvents({ client, clock, log: silentLog });
  await using scheduler = await startScheduler({}, { client, informers, events, clock, random, log: silentLog });
  const informer = informers.informer(pods);
  let bound = 0;
  const done = Promise.withResolvers<void>();
  informer.addHandler({
    updated: (pod, before) => {
      if (pod.spec?.nodeName !== undefined && before.spec?.nodeName === undefined && ++bound === podCount) done.resolve();
    },
  });
  // All pods first, then the scheduler begins: its own speed, not that of creation.
  const started = performance.now();
  for (let i = 0; i < podCount; i += 100)
    await Promise.all(Array.from({ length: Math.min(100, podCount - i) }, (_, j) => admin.create(pods, aPod(`p${i + j}`))));
  const created = performance.now();
  const before = process.cpuUsage();
  informers.start();
  await done.promise;
  const ended = performance.now();
  const cpu = process.cpuUsage(before);
  report("scheduler.bind", podCount / ((ended - created) / 1000), {
    nodes: nodeCount,
    pods: podCount,
    createPerSecond: Math.round(podCount / ((created - started) / 1000)),
    podsPerCpuSecond: Math.round(podCount / ((cpu.user + cpu.system) / 1e6)),
    attempts: scheduler.attempts,
  });
}

const aPod = (name: string): Pod => ({
  metadata: { name, namespace: "default", labels: { app: "a" } },
  spec: {
    containers: [{ name: "c", image: "i", resources: { requests: { cpu: "100m", memory: "50Mi" } } }],
    automountServiceAccountToken: false,
  },
});

function report(name: string, perSecond: number, more: Readonly<Record<string, unknown>>): void {
  console.log(JSON.stringify({ name, podsPerSecond: Math.round(perSecond), ...more }));
}

await throughApiServer();
