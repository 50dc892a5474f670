// A13, A14, A2: creates of pods (durable, default admission, RBAC), one client, LIST of 10,000 pods. Server on core 0, generator on core 1.
import { startTiphys } from "../test/support/tiphys.ts";
import { caller, inFlight, median, percentile, pin, round, usage } from "./support.ts";

const total = 10_000;
/** V8 compiles what has run 3,000 times, some of it again when it has seen more. */
const warmUp = 10_000;

const pod = (index: number, namespace: string): string =>
  JSON.stringify({
    apiVersion: "v1",
    kind: "Pod",
    metadata: {
      name: `bench-${index}`,
      namespace,
      labels: { app: "bench", shard: `s${index % 10}` },
      annotations: { note: "x".repeat(600) },
    },
    spec: {
      schedulerName: "nobody",
      containers: [
        {
          name: "main",
          image: "registry.example/app:1",
          command: ["/bin/app", "--flag"],
          env: Array.from({ length: 12 }, (_, i) => ({ name: `VARIABLE_${i}`, value: `value-${i}` })),
          resources: { requests: { cpu: "100m", memory: "64Mi" }, limits: { memory: "128Mi" } },
          ports: [{ containerPort: 8080, name: "http" }],
        },
      ],
    },
  });

export async function benchApi(): Promise<unknown> {
  await using cluster = await startTiphys(["--nodes", "0", "--sim-nodes", "0"]);
  await pin(cluster.info.pid, 0);
  await pin(process.pid, 1);
  const api = caller(cluster.info.kubeconfig);
  const path = "/api/v1/namespaces/default/pods";
  const create = async (index: number, namespace = "default"): Promise<void> => {
    const { status } = await api.call("POST", `/api/v1/namespaces/${namespace}/pods`, pod(index, namespace));
    if (status !== 201) throw new Error(`create answered ${status}`);
  };
  const aside = "kube-public"; // the list is of what is measured
  await inFlight(warmUp, 100, (index) => create(1_000_000 + index, aside));

  const latencies: number[] = [];
  for (let i = 0; i < 300; i++) {
    const from = performance.now();
    await create(2_000_000 + i, aside);
    latencies.push(performance.now() - from);
  }
  const before = usage(cluster.info.pid).cpuSeconds;
  const from = performance.now();
  await inFlight(total, 100, (index) => create(index));
  const seconds = (performance.now() - from) / 1000;
  const cpu = usage(cluster.info.pid).cpuSeconds - before;

  const lists: number[] = [];
  let bytes = 0;
  for (let i = 0; i < 5; i++) {
    const begin = performance.now();
    ({ bytes } = await api.call("GET", path));
    lists.push(performance.now() - begin);
  }
  const gets: number[] = [];
  const getFrom = performance.now();
  await inFlight(5000, 100, async (index) => {
    const begin = performance.now();
    await api.call("GET", `${path}/bench-${index}`);
    gets.push(performance.now() - begin);
  });
  const getSeconds = (performance.now() - getFrom) / 1000;
  api.close();
  return {
    createPerSecond: Math.round(total / seconds),
    createPerCpuSecond: Math.round(total / cpu),
    cpuMsPerCreate: round((cpu / total) * 1000, 3),
    createOneClientMs: { p50: round(median(latencies), 2), p99: round(percentile(latencies, 0.99), 2) },
    list10kMs: round(median(lists)),
    listMb: round(bytes / 1e6),
    getPerSecond: Math.round(5000 / getSeconds),
    residentMb: usage(cluster.info.pid).residentMb,
    target: { createPerSecond: 4000, createOneClientMs: 1.2, list10kMs: 150 },
    upstream: { createPerSecond: 559, cpuMsPerCreate: 1.78, createOneClientMs: 4.5, list10kMs: 581, getPerSecond: 2140 },
  };
}
