// Service rules at scale: how long the first load of 10,000 services with 4 endpoints takes, and how long one change. Root; works in a network namespace of its own.
import { type EndpointSlice, endpointSlices, type Service, services } from "#api";
import { type Processes, silentLog, systemClock, systemProcesses, systemRandom } from "#base";
import { createClient, createFakeApi, createInformerFactory } from "#client";
import { startProxy } from "#proxy";

const serviceCount = Number(process.argv[2] ?? 10_000);
const endpointCount = Number(process.argv[3] ?? 4);
const namespace = `bench-proxy-${process.pid}`;
const address = (first: number, index: number): string => `10.${first + (index >> 16)}.${(index >> 8) & 255}.${index & 255}`;

const service = (index: number): Service => ({
  metadata: { name: `s${index}`, namespace: "default" },
  spec: { clusterIP: address(96, index + 1), ports: [{ port: 80, protocol: "TCP" }] },
});
const slice = (index: number, count: number): EndpointSlice => ({
  metadata: { name: `s${index}-1`, namespace: "default", labels: { "kubernetes.io/service-name": `s${index}` } },
  addressType: "IPv4",
  ports: [{ name: "", port: 8080, protocol: "TCP" }],
  endpoints: Array.from({ length: count }, (_, n) => ({
    addresses: [address(200, index * endpointCount + n)],
    nodeName: `n${n}`,
  })),
});

let nftMs = 0;
const awake = setInterval(() => {}, 1000); // timers of the system clock let a process end
const processes: Processes = {
  ...systemProcesses,
  run: async (command, args, options) => {
    const began = performance.now();
    const result = await systemProcesses.run(command, args, options);
    if (result.code !== 0) throw new Error(`nft refuses: ${result.stderr.slice(0, 300)}`); // otherwise a full load hides it
    if (options?.input !== undefined) nftMs += performance.now() - began;
    return result;
  },
};

const api = createFakeApi({ clock: systemClock });
for (let index = 0; index < serviceCount; index++) {
  api.put(services, service(index));
  api.put(endpointSlices, slice(index, endpointCount));
}
const informers = createInformerFactory({ client: createClient(api), clock: systemClock, random: systemRandom, log: silentLog });
await systemProcesses.run("ip", ["netns", "add", namespace]);
try {
  const options = {
    mode: "nftables",
    nodeName: "n0",
    nodeIps: ["192.0.2.1"],
    clusterCidr: "10.200.0.0/13",
    networkNamespace: namespace,
  };
  const known = informers.informer(endpointSlices);
  informers.informer(services);
  informers.start();
  await informers.synced();
  const began = performance.now();
  const cpuBefore = process.cpuUsage();
  await using proxy = await startProxy(options, { informers, clock: systemClock, processes, log: silentLog });
  await proxy.synced();
  const coldMs = performance.now() - began;
  const { user, system } = process.cpuUsage(cpuBefore);
  const coldNftMs = nftMs;

  const change = async (count: number): Promise<{ totalMs: number; nftMs: number }> => {
    nftMs = 0;
    const stored = api.put(endpointSlices, slice(serviceCount >> 1, count));
    await known.reached(stored.metadata.resourceVersion);
    const from = performance.now();
    await proxy.synced();
    return { totalMs: performance.now() - from, nftMs };
  };
  const changes: { totalMs: number; nftMs: number }[] = [];
  for (let round = 0; round < 10; round++) changes.push(await change(round % 2 === 0 ? endpointCount + 1 : endpointCount));
  const median = (key: "totalMs" | "nftMs"): number => changes.map((item) => item[key]).sort((a, b) => a - b)[5] ?? 0;
  const round = (value: number): number => Math.round(value * 10) / 10;
  console.log(
    JSON.stringify({
      bench: "proxy",
      services: serviceCount,
      endpointsPerService: endpointCount,
      coldSyncMs: round(coldMs),
      coldNftMs: round(coldNftMs),
      coldOwnCpuMs: round((user + system) / 1000),
      oneEndpointChangeMs: round(median("totalMs")),
      oneEndpointChangeNftMs: round(median("nftMs")),
      residentMb: Math.round(process.memoryUsage.rss() / 1e6),
    }),
  );
} finally {
  clearInterval(awake);
  await informers[Symbol.asyncDispose]();
  await systemProcesses.run("ip", ["netns", "delete", namespace]);
}
