// The agent from informers to transactions, on a virtual clock and a simulated table.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { type NetworkPolicy, namespaces, networkPolicies, type Pod, pods, type ResourceType } from "#api";
import { type CommandResult, type Processes, SimulatedTable, seededRandom, silentLog, VirtualClock } from "#base";
import { createClient, createFakeApi, createInformerFactory, type FakeApi } from "#client";
import { type NetworkPolicyOptions, startNetworkPolicy } from "./agent.ts";
import { someLabels, somePod, somePolicy, someWorld } from "./testing/worlds.ts";

const success: CommandResult = { code: 0, stdout: "", stderr: "" };

/** A kernel with one table, in which commands that came are remembered. */
class Machine {
  readonly table = new SimulatedTable();
  readonly scripts: string[] = [];
  refusal: CommandResult | undefined;
  bridged = "1";
  readonly processes: Processes = {
    run: async (command, args, options) => {
      await new Promise((resolve) => setImmediate(resolve));
      if (command === "sysctl") return { ...success, stdout: `${this.bridged}\n` };
      if (this.refusal !== undefined) return this.refusal;
      if (args.includes("table"))
        return this.table.chains.size > 0 ? { ...success, stdout: this.table.listing() } : { ...success, code: 1 };
      const script = options?.input ?? "";
      this.scripts.push(script);
      if (!script.includes("probe return\nflush")) this.table.run(script);
      return success;
    },
    start: () => assert.fail("nothing is to be started"),
    signal: () => false,
  };
}

function start(api: FakeApi, clock: VirtualClock, machine = new Machine(), options: Partial<NetworkPolicyOptions> = {}) {
  const random = seededRandom(1);
  const warnings: string[] = [];
  const agent = startNetworkPolicy(
    { nodeName: "n1", ...options },
    {
      informers: () => createInformerFactory({ client: createClient(api), clock, random, log: silentLog }),
      clock,
      processes: machine.processes,
      log: { ...silentLog, warn: (message) => void warnings.push(message) },
    },
  );
  return { agent, machine, warnings, settle: () => clock.advance(0) };
}

function world() {
  const clock = new VirtualClock();
  const api = createFakeApi({ clock });
  api.put(namespaces, { metadata: { name: "a", labels: { team: "red" } }, spec: {} });
  return { clock, api, ...start(api, clock) };
}

const pod = (name: string, more: { labels?: Record<string, string>; address?: string; node?: string } = {}): Pod => ({
  metadata: { name, namespace: "a", labels: more.labels ?? {} },
  spec: { nodeName: more.node ?? "n1", containers: [{ name: "a" }] },
  status: { phase: "Running", ...(more.address !== undefined && { podIP: more.address }) },
});
const denyAll: NetworkPolicy = { metadata: { name: "deny-all", namespace: "a" }, spec: { podSelector: {} } };
const isolated = (machine: Machine): string[] => [...(machine.table.collections.get("ingress-pods")?.keys() ?? [])].sort();
/** The pods of the one set that the policies ask. */
const peers = (machine: Machine): string[] => {
  const [, members] = [...machine.table.collections].find(([name]) => /^pods-[0-9a-f]{12}$/.test(name)) ?? [];
  return [...(members?.keys() ?? [])];
};
const watched = (api: FakeApi): Set<string> => new Set(api.requests.map(({ path }) => path.split("/").at(-1) ?? ""));

test("without a policy the agent follows policies only, and sees once that no table was left", async () => {
  const { api, agent, machine, settle, clock } = world();
  api.put(pods, pod("web", { address: "10.244.0.2" }));
  await settle();
  assert.equal(agent.ready(), undefined);
  await clock.advance(300_000);
  assert.deepEqual(machine.scripts, ["add table ip tiphys-network-policy\ndelete table ip tiphys-network-policy\n"]);
  assert.deepEqual([...watched(api)], ["networkpolicies"]);
  await agent[Symbol.asyncDispose]();
  assert.equal(machine.scripts.length, 1);
});

test("the first policy brings the table, the last takes it away, and nothing else is followed any more", async () => {
  const { api, machine, settle } = world();
  api.put(pods, pod("web", { address: "10.244.0.2" }));
  await settle();
  api.put(networkPolicies, denyAll);
  await settle();
  assert.deepEqual(isolated(machine), ["10.244.0.2"]);
  api.remove(networkPolicies, { namespace: "a", name: "deny-all" });
  await settle();
  assert.equal(machine.table.chains.size, 0);
  const count = machine.scripts.length;
  api.put(pods, pod("other", { address: "10.244.0.3" }));
  await settle();
  assert.equal(machine.scripts.length, count);
});

test("a kernel that lets a bridge's packets go by is complained of, when there is a policy", async () => {
  const { api, machine, warnings, settle } = world();
  machine.bridged = "0";
  await settle();
  assert.deepEqual(warnings, []);
  api.put(networkPolicies, denyAll);
  await settle();
  assert.deepEqual(warnings, ["network policies do not hold between pods of one bridge"]);
});

test("a policy that nobody understands is no reason to stop: it is said, and what holds goes on until it is put right", async () => {
  const { api, agent, machine, clock, settle } = world();
  api.put(pods, pod("web", { address: "10.244.0.2" }));
  api.put(networkPolicies, denyAll);
  await settle();
  const selector = (operator: string) => ({ matchExpressions: [{ key: "app", operator }] });
  api.put(networkPolicies, { ...denyAll, spec: { podSelector: selector("Near") } });
  await settle();
  assert.match(agent.ready() ?? "", /rules cannot be loaded: "Near" is not a valid label selector operator/);
  assert.deepEqual(isolated(machine), ["10.244.0.2"]);
  api.put(networkPolicies, { ...denyAll, spec: { podSelector: selector("Exists") } });
  await clock.advance(60_000);
  assert.equal(agent.ready(), undefined);
  assert.deepEqual(isolated(machine), []);
});

test("changes of one turn are one transaction that says only what changed", async () => {
  const { api, machine, settle } = world();
  api.put(networkPolicies, denyAll);
  api.put(pods, pod("web", { address: "10.244.0.2" }));
  await settle();
  const count = machine.scripts.length;
  api.put(pods, pod("b", { address: "10.244.0.3" }));
  api.put(pods, pod("c", { address: "10.244.0.4" }));
  api.put(pods, pod("far", { address: "10.244.1.4", node: "n2" }));
  await settle();
  assert.deepEqual(
    machine.scripts.slice(count).map((script) => script.replace(/-[0-9a-f]{12}/g, "-#")),
    [
      "add element ip tiphys-network-policy ingress-pods { 10.244.0.3 : goto ingress-#, 10.244.0.4 : goto ingress-# }\n" +
        "add element ip tiphys-network-policy itself { 10.244.0.3 . 10.244.0.3, 10.244.0.4 . 10.244.0.4 }\n",
    ],
  );
});

test("nothing is loaded before pods and namespaces are listed: half of the truth would cut connections", async () => {
  const { api, agent, machine, settle } = world();
  api.put(pods, pod("web", { address: "10.244.0.2" }));
  await settle();
  const listing = Promise.withResolvers<undefined>();
  api.before = ({ path }) => (path.endsWith("/namespaces") ? listing.promise : undefined);
  const from = [{ namespaceSelector: { matchLabels: { team: "red" } } }];
  api.put(networkPolicies, { ...denyAll, spec: { podSelector: {}, ingress: [{ from }] } });
  await settle();
  api.put(networkPolicies, { ...denyAll, metadata: { name: "another", namespace: "a" } });
  await settle();
  assert.equal(agent.ready(), "pods and namespaces are not listed yet");
  assert.equal(machine.table.chains.size, 0);
  listing.resolve(undefined);
  await settle();
  assert.equal(agent.ready(), undefined);
  assert.deepEqual(peers(machine), ["10.244.0.2"]);
});

test("a pod that starts is isolated before its address is in the API", async () => {
  const { api, agent, machine, settle } = world();
  api.put(networkPolicies, denyAll);
  const known = api.put(pods, pod("web"));
  await settle();
  assert.deepEqual(isolated(machine), []);
  assert.equal(agent.isolates(known), true);
  assert.equal(agent.isolates({ ...known, metadata: { name: "web", namespace: "b" } }), false);
  const [starting] = await Promise.all([agent.podStarts(known, "10.244.0.9"), settle()]);
  assert.equal(starting, undefined);
  assert.deepEqual(isolated(machine), ["10.244.0.9"]);
  api.put(pods, pod("web", { labels: { app: "web" } })); // its status says nothing still
  await settle();
  assert.deepEqual(isolated(machine), ["10.244.0.9"]);
  // a pod that the agent has not heard of: the kubelet's word is enough
  const unheard: Pod = {
    ...pod("new"),
    metadata: { name: "new", namespace: "a", uid: "u1", creationTimestamp: "2026-01-01T00:00:00Z" },
  };
  await Promise.all([agent.podStarts(unheard, "10.244.0.10"), settle()]);
  assert.deepEqual(isolated(machine), ["10.244.0.10", "10.244.0.9"]);
  // from here on the status is right, also when it is another sandbox's
  for (const address of ["10.244.0.9", "10.244.0.12"]) {
    api.put(pods, pod("web", { address }));
    await settle();
  }
  assert.deepEqual(isolated(machine), ["10.244.0.10", "10.244.0.12"]);
  api.remove(pods, { namespace: "a", name: "web" });
  await settle();
  assert.deepEqual(isolated(machine), ["10.244.0.10"]);
});

test("a pod that cannot be isolated is not to start; without policies every pod is", async () => {
  const { api, agent, machine, clock, settle } = world();
  await settle();
  const labels = { app: "web" };
  assert.equal(agent.isolates(pod("web", { labels })), false);
  await agent.podStarts(pod("web", { labels }), "10.244.0.2");
  api.put(networkPolicies, { ...denyAll, spec: { podSelector: { matchLabels: labels } } });
  const known = api.put(pods, pod("web", { labels }));
  await settle();
  assert.deepEqual([known, pod("other")].map(agent.isolates), [true, false]);
  machine.refusal = { code: 1, stdout: "", stderr: "Error: busy" };
  const starting = assert.rejects(
    agent.podStarts(known, "10.244.0.2"),
    /Cannot isolate pod "a\/web": rules cannot be loaded: nft: Error: busy/,
  );
  await clock.advance(10_000);
  await starting;
});

test("disposal leaves no table, unless the rules are to be kept; the next agent takes over what it finds", async () => {
  for (const keepRules of [false, true]) {
    const { api, clock } = world();
    api.put(networkPolicies, { ...denyAll, spec: { podSelector: {}, ingress: [{ from: [{ podSelector: {} }] }] } });
    api.put(pods, pod("web", { address: "10.244.0.2" }));
    const { agent, machine, settle } = start(api, clock, new Machine(), { keepRules });
    await settle();
    await Promise.all([agent[Symbol.asyncDispose](), settle()]);
    assert.equal(machine.table.chains.size > 0, keepRules);
    api.put(pods, pod("web", { address: "10.244.0.5" }));
    const next = start(api, clock, machine);
    await settle();
    assert.deepEqual(isolated(machine), ["10.244.0.5"]);
    assert.deepEqual(peers(machine), ["10.244.0.5"]);
    await Promise.all([next.agent[Symbol.asyncDispose](), settle()]);
    assert.equal(machine.table.chains.size, 0);
  }
});

test("whatever happens, the table is the one that an agent makes that starts now", async () => {
  const remove = (type: ResourceType, name: string) => (api: FakeApi) => {
    for (const namespace of ["a", "b"])
      if (api.peek(type, { namespace, name }) !== undefined) api.remove(type, { namespace, name });
  };
  const someIndex = fc.integer({ min: 0, max: 2 });
  const step: fc.Arbitrary<(api: FakeApi) => void> = fc.oneof(
    someIndex.chain(somePod).map((object) => (api: FakeApi) => void api.put(pods, object)),
    someIndex.chain(somePod).map((object) => (api: FakeApi) => void api.put(pods, object)),
    someIndex
      .chain((index) => somePolicy(`policy-${index}`))
      .map((object) => (api: FakeApi) => void api.put(networkPolicies, object)),
    someLabels.map((labels) => (api: FakeApi) => void api.put(namespaces, { metadata: { name: "a", labels }, spec: {} })),
    someIndex.map((index) => remove(pods, `p${index}`)),
    someIndex.map((index) => remove(networkPolicies, `policy-${index}`)),
  );
  await fc.assert(
    fc.asyncProperty(someWorld, fc.array(step, { minLength: 3, maxLength: 8 }), async (first, steps) => {
      const { api, clock, agent, machine, settle } = world();
      for (const [name, labels] of Object.entries(first.namespaces))
        api.put(namespaces, { metadata: { name, labels }, spec: {} });
      for (const object of first.pods) api.put(pods, object);
      for (const object of [denyAll, ...first.policies]) api.put(networkPolicies, object);
      await settle();
      for (const change of steps) {
        change(api);
        await settle();
      }
      const fresh = start(api, clock);
      await settle();
      assert.equal(fresh.agent.ready(), undefined);
      assert.deepEqual(machine.table.snapshot(), fresh.machine.table.snapshot());
      await Promise.all([agent[Symbol.asyncDispose](), fresh.agent[Symbol.asyncDispose](), settle()]);
    }),
    { numRuns: 150 },
  );
});
