// What a policy becomes: the table as a person reads it.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { NetworkPolicy, Pod } from "#api";
import { renderFull } from "#base";
import { policyTable } from "./frame.ts";
import type { World } from "./testing/model.ts";
import { tableOf } from "./testing/packets.ts";

const pod = (name: string, address: string, labels: Record<string, string>, more: Partial<Pod["spec"]> = {}): Pod => ({
  metadata: { name, namespace: "default", labels },
  spec: { nodeName: "n1", containers: [{ name: "a" }], ...more },
  status: { phase: "Running", podIP: address },
});
const policy = (name: string, spec: NetworkPolicy["spec"]): NetworkPolicy => ({ metadata: { name, namespace: "default" }, spec });
const world = (pods: readonly Pod[], ...policies: NetworkPolicy[]): World => ({ namespaces: { default: {} }, pods, policies });

/** Every item as "name: value" or "name { key : value }", with digests taken out. */
const lines = (w: World, node = "n1"): string[] =>
  [...tableOf(w, node).values()]
    .map(({ kind, name, key, value }) =>
      kind === "element" ? `${name} { ${key}${value && ` : ${value}`} }` : `${kind} ${name}: ${value}`,
    )
    .map((line) => line.replace(/-[0-9a-f]{12}/g, "-#"))
    .sort();

const web = pod(
  "web",
  "10.244.0.2",
  { app: "web" },
  { containers: [{ name: "a", ports: [{ name: "http", containerPort: 8080 }] }] },
);
const db = pod("db", "10.244.0.3", { app: "db" });

test("deny-all is one shared chain, and two elements per pod", () => {
  const denyAll = policy("deny-all", { podSelector: {}, policyTypes: ["Ingress"] });
  assert.deepEqual(lines(world([web, db], denyAll)), [
    "chain ingress-#: jump ingress/default/deny-all\ncounter drop",
    "chain ingress/default/deny-all: ",
    "ingress-pods { 10.244.0.2 : goto ingress-# }",
    "ingress-pods { 10.244.0.3 : goto ingress-# }",
    "itself { 10.244.0.2 . 10.244.0.2 }",
    "itself { 10.244.0.3 . 10.244.0.3 }",
  ]);
});

test("peers are one set, blocks another; ports are one rule per protocol", () => {
  const from = [
    { podSelector: { matchLabels: { app: "web" } } },
    { ipBlock: { cidr: "203.0.113.0/24", except: ["203.0.113.128/25"] } },
  ];
  const ports = [{ port: 5432 }, { port: 5400, endPort: 5410 }, { port: "http" }, { protocol: "UDP" }];
  const open = policy("open", { podSelector: { matchLabels: { app: "db" } }, ingress: [{ from, ports }] });
  assert.deepEqual(
    lines(world([web, db], open)).filter((line) => !line.startsWith("itself")),
    [
      "chain ingress-#: jump ingress/default/open\ncounter drop",
      `chain ingress/default/open: ${[
        "ip saddr @pods-# tcp dport { 5400-5410, 5432 } accept",
        "ip saddr @pods-# ip daddr . tcp dport @own-port-tcp-http accept",
        "ip saddr @pods-# ip protocol udp accept",
        "ip saddr @blocks-# tcp dport { 5400-5410, 5432 } accept",
        "ip saddr @blocks-# ip daddr . tcp dport @own-port-tcp-http accept",
        "ip saddr @blocks-# ip protocol udp accept",
      ].join("\n")}`,
      "ingress-pods { 10.244.0.3 : goto ingress-# }",
      "own-port-tcp-http { 10.244.0.2 . 8080 }",
      "pods-# { 10.244.0.2 }",
      "set blocks-#: type ipv4_addr; flags interval; elements = { 203.0.113.0-203.0.113.127 }",
      "set own-port-tcp-http: type ipv4_addr . inet_service;",
      "set pods-#: type ipv4_addr;",
    ],
  );
});

test("of a named port a node knows its own pods where they are asked, and everybody's where they ask", () => {
  const http: Partial<Pod["spec"]> = { containers: web.spec.containers };
  const far = pod("far", "10.244.1.2", { app: "web" }, { ...http, nodeName: "n2" });
  const elements = (spec: NetworkPolicy["spec"]): string[] =>
    lines(world([web, far], policy("a", spec))).filter((line) => /^(own-)?port/.test(line));
  assert.deepEqual(elements({ ingress: [{ ports: [{ port: "http" }] }] }), ["own-port-tcp-http { 10.244.0.2 . 8080 }"]);
  assert.deepEqual(elements({ policyTypes: ["Egress"], egress: [{ ports: [{ port: "http" }] }] }), [
    "port-tcp-http { 10.244.0.2 . 8080 }",
    "port-tcp-http { 10.244.1.2 . 8080 }",
  ]);
});

test("several policies of a pod are one chain that asks them in turn; a pod of one of them has another", () => {
  const first = policy("a", { podSelector: {}, ingress: [{}] });
  const second = policy("b", { podSelector: { matchLabels: { app: "db" } } });
  const entrances = lines(world([web, db], second, first)).filter((line) => line.startsWith("chain ingress-#"));
  assert.deepEqual(entrances, [
    "chain ingress-#: jump ingress/default/a\ncounter drop",
    "chain ingress-#: jump ingress/default/a\njump ingress/default/b\ncounter drop",
  ]);
});

test("a policy with egress rules and no types is of both directions", () => {
  const both = policy("both", { podSelector: {}, egress: [{ ports: [{ port: 53, protocol: "UDP" }] }] });
  assert.deepEqual(
    lines(world([db], both)).filter((line) => /^chain \w+\//.test(line)),
    ["chain egress/default/both: udp dport { 53 } accept", "chain ingress/default/both: "],
  );
});

test("the pods of another node are in sets only, and not even there when no pod of this node asks", () => {
  const from = [{ podSelector: {} }];
  const open = policy("open", { podSelector: { matchLabels: { app: "db" } }, ingress: [{ from }] });
  const far = pod("far", "10.244.1.2", { app: "web" }, { nodeName: "n2" });
  assert.deepEqual(
    lines(world([far, db], open)).filter((line) => line.includes("10.244.1.2")),
    ["pods-# { 10.244.1.2 }"],
  );
  assert.deepEqual(lines(world([far, db], open), "n2"), []);
});

test("the table as nft reads it has the chains in an order in which each finds those it goes to", () => {
  const script = renderFull(policyTable, tableOf(world([web], policy("a", { podSelector: {} })), "n1"));
  const at = (text: string | RegExp): number => script.search(text);
  assert.ok(at(/chain ingress\/default\/a/) > 0);
  assert.ok(at(/chain ingress\/default\/a/) < at(/chain ingress-[0-9a-f]{12}/));
});

test("names that nft would not take are shortened, and stay apart", () => {
  const long = (end: string): NetworkPolicy => policy(`${"x".repeat(240)}${end}`, { podSelector: {} });
  const names = [...tableOf(world([web], long("a"), long("b")), "n1").values()]
    .filter(({ kind }) => kind === "chain")
    .map(({ name }) => name);
  assert.equal(new Set(names).size, 3);
  assert.ok(names.every((name) => name.length <= 120));
});
