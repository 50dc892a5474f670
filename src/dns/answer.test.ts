// The Kubernetes DNS specification as a table.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { EndpointSlice, Namespace, Service } from "#api";
import { answer } from "./answer.ts";
import { parseResolvConf } from "./resolv-conf.ts";
import { clusterView } from "./view.ts";

const metadata = (name: string, labels = {}) => ({
  name,
  namespace: "default",
  uid: name,
  resourceVersion: "1",
  creationTimestamp: "2026-01-01T00:00:00Z",
  labels,
});
const services = [
  {
    metadata: metadata("web"),
    spec: { clusterIP: "10.96.0.7", clusterIPs: ["10.96.0.7"], ports: [{ name: "http", port: 80, protocol: "TCP" }] },
  },
  { metadata: metadata("db"), spec: { clusterIP: "None", clusterIPs: ["None"] } },
  { metadata: metadata("idle"), spec: { clusterIP: "None", clusterIPs: ["None"] } },
  { metadata: metadata("out"), spec: { type: "ExternalName", externalName: "db.example.com" } },
] as unknown as Service[];
const slices = [
  {
    metadata: metadata("db-1", { "kubernetes.io/service-name": "db" }),
    addressType: "IPv4",
    ports: [{ name: "sql", port: 5432, protocol: "TCP" }],
    endpoints: [
      { addresses: ["10.244.0.5"], hostname: "db-0", conditions: { ready: true } },
      { addresses: ["10.244.0.6"], conditions: { ready: true } },
      { addresses: ["10.244.0.9"], conditions: { ready: false } },
    ],
  },
] as unknown as EndpointSlice[];

/** A lister over a fixed list, with the indexes that the view adds. */
function lister<T extends { metadata: { name?: string; namespace?: string } }>(
  objects: readonly T[],
  key: (object: T) => string,
) {
  const indexes = new Map<string, (object: T) => readonly string[]>();
  return {
    get: (name: string) => objects.find((object) => key(object) === name),
    list: () => objects,
    byIndex: (index: string, value: string) => objects.filter((object) => indexes.get(index)?.(object).includes(value)),
    addIndex: (name: string, values: (object: T) => readonly string[]) => void indexes.set(name, values),
  } as never;
}

const view = clusterView({
  services: lister(services, (service) => `default/${service.metadata.name}`),
  endpointSlices: lister(slices, (slice) => `default/${slice.metadata.name}`),
  namespaces: lister([{ metadata: { name: "default" } }] as Namespace[], (namespace) => namespace.metadata.name ?? ""),
});
const ask = (name: string, type: string) => {
  const result = answer({ name, type }, view, { zone: "cluster.local", ttlSeconds: 5 });
  return result === undefined
    ? "forward"
    : [
        result.code,
        ...result.answers.map((record) => (record.type === "SRV" ? `${record.data.port} ${record.data.target}` : record.data)),
      ];
};

for (const [name, type, expected] of [
  ["web.default.svc.cluster.local", "A", ["NOERROR", "10.96.0.7"]],
  ["WEB.Default.svc.cluster.local.", "A", ["NOERROR", "10.96.0.7"]],
  ["web.default.svc.cluster.local", "AAAA", ["NOERROR"]],
  ["_http._tcp.web.default.svc.cluster.local", "SRV", ["NOERROR", "80 web.default.svc.cluster.local"]],
  ["_http._udp.web.default.svc.cluster.local", "SRV", ["NXDOMAIN"]],
  ["db.default.svc.cluster.local", "A", ["NOERROR", "10.244.0.5", "10.244.0.6"]],
  ["db-0.db.default.svc.cluster.local", "A", ["NOERROR", "10.244.0.5"]],
  ["10-244-0-6.db.default.svc.cluster.local", "A", ["NOERROR", "10.244.0.6"]],
  ["10-244-0-9.db.default.svc.cluster.local", "A", ["NXDOMAIN"]],
  [
    "_sql._tcp.db.default.svc.cluster.local",
    "SRV",
    ["NOERROR", "5432 db-0.db.default.svc.cluster.local", "5432 10-244-0-6.db.default.svc.cluster.local"],
  ],
  ["idle.default.svc.cluster.local", "A", ["NXDOMAIN"]],
  ["out.default.svc.cluster.local", "A", ["NOERROR", "db.example.com"]],
  ["gone.default.svc.cluster.local", "A", ["NXDOMAIN"]],
  ["default.svc.cluster.local", "A", ["NOERROR"]],
  ["nowhere.svc.cluster.local", "A", ["NXDOMAIN"]],
  ["10-244-0-5.default.pod.cluster.local", "A", ["NOERROR", "10.244.0.5"]],
  ["x.default.pod.cluster.local", "A", ["NXDOMAIN"]],
  ["dns-version.cluster.local", "TXT", ["NOERROR", "1.1.0"]],
  ["7.0.96.10.in-addr.arpa", "PTR", ["NOERROR", "web.default.svc.cluster.local"]],
  ["5.0.244.10.in-addr.arpa", "PTR", ["NOERROR", "db-0.db.default.svc.cluster.local"]],
  ["1.1.1.1.in-addr.arpa", "PTR", "forward"],
  ["example.com", "A", "forward"],
] as const) {
  test(`${type} ${name}`, () => assert.deepEqual(ask(name, type), expected));
}

test("parseResolvConf() reads servers, the last search line and options, and skips comments", () => {
  const text = "# c\nnameserver 10.0.0.1\nnameserver 10.0.0.2 ; second\nsearch a b\nsearch c\noptions ndots:2 edns0\n";
  assert.deepEqual(parseResolvConf(text), { servers: ["10.0.0.1", "10.0.0.2"], searches: ["c"], options: ["ndots:2", "edns0"] });
});
