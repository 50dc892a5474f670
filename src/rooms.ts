// The rooms of the house, as data: what each is for and which others it may import. test/tidy.test.ts holds every import to it.

export interface Room {
  readonly purpose: string;
  readonly mayImport: readonly string[];
}

const component = ["base", "api", "client"];

export const rooms: Readonly<Record<string, Room>> = {
  base: {
    purpose:
      "clock, random, files, log, metrics, options, wire codecs, HTTP/2 for servers, nftables; knows nothing of Kubernetes",
    mayImport: [],
  },
  api: {
    purpose: "object types and facts, selectors, quantities, patches, field merging, validation, Status errors; no I/O",
    mayImport: ["base"],
  },
  client: {
    purpose: "the door: Client, informers, work queue, leases, events; in-process and HTTPS transports",
    mayImport: ["base", "api"],
  },
  store: { purpose: "revisioned key-value store behind one interface: memory, disk, etcd", mayImport: ["base"] },
  apiserver: {
    purpose: "HTTP, authentication, authorization, admission, registry, watch cache",
    mayImport: ["base", "api", "client", "store"],
  },
  scheduler: { purpose: "chooses a node for each pod", mayImport: component },
  controllers: { purpose: "close the gap between desired and actual state", mayImport: component },
  kubelet: { purpose: "runs the pods of one node through CRI", mayImport: component },
  proxy: { purpose: "turns Services into nftables rules", mayImport: component },
  network: { purpose: "pod network: CNI configuration, pod ranges, routes between nodes", mayImport: component },
  dns: { purpose: "the Kubernetes DNS specification, from informers", mayImport: component },
  sim: { purpose: "simulated nodes: a container runtime that only pretends", mayImport: [...component, "kubelet"] },
  cli: { purpose: "the command line", mayImport: ["base", "api", "client", "store", "cluster", "kubelet"] },
  cluster: {
    purpose: "wiring only: one process, separate processes, a cluster as a library",
    mayImport: [
      "base",
      "api",
      "client",
      "store",
      "apiserver",
      "scheduler",
      "controllers",
      "kubelet",
      "proxy",
      "network",
      "dns",
      "sim",
    ],
  },
};

/** Modules that may touch time, randomness, files, sockets and processes directly; all others get them as arguments (D8). */
export const borders: readonly string[] = [
  "src/base/system/",
  "src/store/disk/",
  "src/store/etcd/grpc-listener.ts",
  "src/cli/",
  "src/apiserver/http/listener.ts",
  "src/apiserver/http/outbound.ts",
  "src/apiserver/http/upgrade.ts",
  "src/apiserver/security/admission/webhooks/dialer.ts",
  "src/kubelet/server/",
  "src/dns/server.ts",
  "src/kubelet/probe/network.ts",
  "src/kubelet/static/fetch-manifest.ts",
  "src/dns/forwarder.ts",
  "src/proxy/health-server.ts",
  "src/cluster/component-server.ts",
  "src/client/https-transport",
];
