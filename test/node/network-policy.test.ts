// What network policies do to real packets: pods, their node and a machine outside, through the kernel, beside the rules of services.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import {
  type ApiObject,
  type EndpointSlice,
  endpointSlices,
  type NetworkPolicy,
  namespaces,
  networkPolicies,
  type Pod,
  pods as podType,
  type ResourceType,
  type Service,
  services,
} from "#api";
import { silentLog, systemClock, systemProcesses, systemRandom } from "#base";
import { createClient, createFakeApi, createInformerFactory, type InformerFactory } from "#client";
import { type RunningNetworkPolicy, startNetworkPolicy } from "#network";
import { type RunningProxy, startProxy } from "#proxy";
import { lab, type PodName, pods, type ServiceLab, startServiceLab } from "../support/service-lab.ts";
import { needsRoot, run } from "../support/tiphys.ts";

const skip = needsRoot("nft", "ip", "conntrack");
const deps = { clock: systemClock, random: systemRandom, log: silentLog };

type Question = readonly [from: PodName | "node" | "outside", address: string, port?: number];

/** A node with agent and proxy, which learn of the cluster from an API in memory. */
class Cluster {
  readonly network: ServiceLab;
  readonly #api = createFakeApi({ clock: systemClock });
  /** The first is the agent's for policies, a second one for pods and namespaces comes and goes with the policies. */
  readonly #informers: InformerFactory[] = [];
  readonly #proxyInformers: InformerFactory;
  readonly agent: RunningNetworkPolicy;
  #proxy: RunningProxy | undefined;

  constructor(network: ServiceLab) {
    this.network = network;
    const client = createClient(this.#api);
    this.#api.put(namespaces, { metadata: { name: "default", labels: { team: "red" } }, spec: {} });
    for (const name of Object.keys(pods) as PodName[]) this.#api.put(podType, pod(name));
    this.#proxyInformers = createInformerFactory({ client, ...deps });
    this.agent = startNetworkPolicy(
      { nodeName: "n1", networkNamespace: network.node },
      {
        informers: () => {
          const made = createInformerFactory({ client, ...deps });
          this.#informers.push(made);
          return made;
        },
        processes: systemProcesses,
        ...deps,
      },
    );
  }

  async start(): Promise<void> {
    const options = { mode: "nftables", nodeName: "n1", nodeIps: [lab.nodeAddress], clusterCidr: lab.clusterCidr };
    this.#proxy = await startProxy(
      { ...options, networkNamespace: this.network.node },
      { informers: this.#proxyInformers, processes: systemProcesses, ...deps },
    );
    this.#proxyInformers.start();
    await this.#proxy.synced();
    await this.agent.synced();
  }

  /** In the kernel when it resolves, and what other tests had put there is not. */
  async policies(...specs: readonly NetworkPolicy["spec"][]): Promise<void> {
    for (const { metadata } of this.#api.all(networkPolicies))
      this.#api.remove(networkPolicies, { namespace: "default", name: metadata.name });
    let last = "";
    for (const [index, spec] of specs.entries()) {
      const object: NetworkPolicy = { metadata: { name: `policy-${index}`, namespace: "default" }, spec };
      last = this.#api.put(networkPolicies, object).metadata.resourceVersion;
    }
    if (last !== "") await this.#informers[0]?.informer(networkPolicies).reached(last);
    await this.agent.synced();
  }

  async label(name: PodName, labels: Record<string, string>): Promise<void> {
    const stored = this.#api.put(podType, pod(name, labels));
    await this.#informers.at(-1)?.informer(podType).reached(stored.metadata.resourceVersion);
    await this.agent.synced();
  }

  async serve(name: string, spec: Service["spec"], backend: PodName): Promise<void> {
    const metadata = { name, namespace: "default" };
    const put = async <T extends ApiObject>(type: ResourceType<T>, object: T): Promise<void> =>
      this.#proxyInformers.informer(type).reached(this.#api.put(type, object).metadata.resourceVersion);
    await put(services, { metadata, spec } as Service);
    await put(endpointSlices, {
      metadata: { ...metadata, labels: { "kubernetes.io/service-name": name } },
      addressType: "IPv4",
      ports: [{ name: "", port: lab.port, protocol: "TCP" }],
      endpoints: [{ addresses: [pods[backend]], conditions: { ready: true }, nodeName: "n1" }],
    } as EndpointSlice);
    await this.#proxy?.synced();
  }

  /** Who asks for what at the same time, and who is to answer, or "timeout". */
  async answers(...expected: readonly [question: Question, answer: string][]): Promise<void> {
    const answered = await Promise.all(
      expected.map(async ([question, answer]) => [question, await this.#ask(question, answer !== "timeout")]),
    );
    assert.deepEqual(answered, expected);
  }

  /** The client gives up after a second: too early on a machine that is busy elsewhere, so that one `toBeAnswered` is asked again. */
  async #ask([from, address, port = lab.port]: Question, toBeAnswered: boolean): Promise<string> {
    const place = from === "node" || from === "outside" ? this.network[from] : this.network.pod(from);
    for (const deadline = performance.now() + 20_000; ; ) {
      const [reply] = await this.network.ask(place, address, port);
      if (!toBeAnswered || reply?.backend !== "timeout" || performance.now() > deadline) return reply?.backend ?? "";
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.agent[Symbol.asyncDispose]();
    await this.#proxy?.[Symbol.asyncDispose]();
    await this.#proxyInformers[Symbol.asyncDispose]();
  }
}

const pod = (name: PodName, labels: Record<string, string> = { app: name }): Pod => ({
  metadata: { name, namespace: "default", labels },
  spec: { nodeName: "n1", containers: [{ name: "a", ports: [{ name: "answer", containerPort: lab.port }] }] },
  status: { phase: "Running", podIP: pods[name] },
});

const app = (name: string) => ({ podSelector: { matchLabels: { app: name } } });

describe("network policies in the kernel", { skip, concurrency: false }, () => {
  let network: ServiceLab;
  let cluster: Cluster;
  const tables = async (): Promise<string> =>
    (await run("ip", ["netns", "exec", network.node, "nft", "list", "tables"])).stdout.trim();
  before(async () => {
    network = await startServiceLab();
    cluster = new Cluster(network);
    await cluster.start();
  });
  after(async () => {
    await cluster?.[Symbol.asyncDispose]();
    await network?.[Symbol.asyncDispose]();
  });

  test("without a policy everybody reaches everybody, and there is no table", async () => {
    await cluster.answers([["b", pods.a], "a"], [["outside", pods.a], "a"]);
    assert.equal(await tables(), "table ip kube-proxy");
  });

  test("deny-all: connecting takes until one gives up, from pods and from outside; the node gets through, and so does who was connected", async () => {
    using connected = network.conversation(network.pod("b"), "tcp", pods.a, lab.port);
    assert.equal(await connected.ask(), "a");
    await cluster.policies(app("a"));
    await cluster.answers([["b", pods.a], "timeout"], [["outside", pods.a], "timeout"], [["node", pods.a], "a"]);
    assert.equal(await connected.ask(), "a");
    await cluster.answers([["b", pods.c], "c"], [["a", pods.c], "c"]);
  });

  test("who has the label gets through, as soon as it has it", async () => {
    await cluster.policies({ ...app("a"), ingress: [{ from: [app("b")] }] });
    await cluster.answers([["b", pods.a], "a"], [["c", pods.a], "timeout"]);
    await cluster.label("c", { app: "b" });
    await cluster.answers([["c", pods.a], "a"]);
    await cluster.label("c", { app: "c" });
    await cluster.answers([["c", pods.a], "timeout"]);
  });

  test("a block lets in who is in it and not in its exceptions", async () => {
    const from = (except: string[]) => [{ ipBlock: { cidr: "192.0.2.0/24", except } }];
    await cluster.policies({ ...app("a"), ingress: [{ from: from(["192.0.2.128/25"]) }] });
    await cluster.answers([["outside", pods.a], "a"], [["b", pods.a], "timeout"]);
    await cluster.policies({ ...app("a"), ingress: [{ from: from(["192.0.2.2/32"]) }] });
    await cluster.answers([["outside", pods.a], "timeout"]);
    await cluster.policies({ ...app("a"), ingress: [{ from: [{ ipBlock: { cidr: "0.0.0.0/0", except: ["10.0.0.0/8"] } }] }] });
    await cluster.answers([["outside", pods.a], "a"], [["b", pods.a], "timeout"]);
  });

  test("egress: a pod reaches what it may and nothing else, another pod everything", async () => {
    await cluster.policies({ ...app("b"), policyTypes: ["Egress"], egress: [{ to: [app("a")] }] });
    await cluster.answers([["b", pods.a], "a"], [["b", pods.c], "timeout"], [["a", pods.c], "c"], [["c", pods.b], "b"]);
  });

  test("ports: by number, by name and by range, of the right protocol", async () => {
    for (const ports of [[{ port: lab.port }], [{ port: "answer" }], [{ port: 8000, endPort: 8100 }], [{ protocol: "TCP" }]]) {
      await cluster.policies({ ...app("a"), ingress: [{ ports }] });
      await cluster.answers([["b", pods.a], "a"]);
    }
    await cluster.policies({
      ...app("a"),
      ingress: [{ ports: [{ port: 81 }, { port: "other" }, { port: lab.port, protocol: "UDP" }] }],
    });
    await cluster.answers([["b", pods.a], "timeout"]);
    using talk = network.conversation(network.pod("b"), "udp", pods.a, lab.port);
    assert.equal(await talk.ask(), "a");
  });

  test("policies add up", async () => {
    await cluster.policies(
      app("a"),
      { ...app("a"), ingress: [{ from: [app("c")] }] },
      { podSelector: {}, ingress: [{ from: [app("b")] }] },
    );
    await cluster.answers([["b", pods.a], "a"], [["c", pods.a], "a"], [["outside", pods.a], "timeout"]);
  });

  test("through a Service it is the pods that talk: by cluster IP, by node port, and a pod with itself", async () => {
    const spec: Service["spec"] = {
      type: "NodePort",
      clusterIP: "10.96.0.10",
      ports: [{ port: 80, targetPort: lab.port, nodePort: 30080, protocol: "TCP" }],
    };
    await cluster.serve("web", spec, "a");
    await cluster.policies({ ...app("a"), ingress: [{ from: [app("b")], ports: [{ port: lab.port }] }] });
    await cluster.answers(
      [["b", "10.96.0.10", 80], "a"],
      [["c", "10.96.0.10", 80], "timeout"],
      [["a", "10.96.0.10", 80], "a"],
      [["node", "10.96.0.10", 80], "a"],
      [["outside", lab.nodeAddress, 30080], "timeout"],
    );
    await cluster.policies({ ...app("a"), ingress: [{ from: [{ ipBlock: { cidr: `${lab.outsideAddress}/32` } }] }] });
    await cluster.answers([["outside", lab.nodeAddress, 30080], "a"]);
  });

  test("the last policy takes the table with it, and so does the agent that stops", async () => {
    await cluster.policies(app("a"));
    assert.match(await tables(), /tiphys-network-policy/);
    await cluster.policies();
    for (const deadline = performance.now() + 20_000; /tiphys-network-policy/.test(await tables()); )
      assert.ok(performance.now() < deadline, "still there after 20 s");
    await cluster.answers([["b", pods.a], "a"]);
    await cluster.policies(app("a"));
    await cluster.agent[Symbol.asyncDispose]();
    assert.equal(await tables(), "table ip kube-proxy");
  });
});
