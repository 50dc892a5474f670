// What service rules do to real packets: clients in pods, on the node and outside, through the kernel, against backends in namespaces.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { type EndpointSlice, endpointSlices, type Service, services } from "#api";
import { silentLog, systemClock, systemProcesses, systemRandom } from "#base";
import { createClient, createFakeApi, createInformerFactory, type FakeApi, type InformerFactory } from "#client";
import { type ProxyOptions, type RunningProxy, startProxy } from "#proxy";
import { lab, type PodName, pods, type ServiceLab, startServiceLab } from "../support/service-lab.ts";
import { needsRoot, run } from "../support/tiphys.ts";

const skip = needsRoot("nft", "ip", "conntrack");

/** A proxy with an API of its own; what it hands to nft is kept. */
async function startTestProxy(
  network: ServiceLab,
  options: Partial<ProxyOptions> = {},
  api = createFakeApi({ clock: systemClock }),
) {
  const deps = { clock: systemClock, random: systemRandom, log: silentLog };
  const informers = createInformerFactory({ client: createClient(api), ...deps });
  const scripts: string[] = [];
  const processes: typeof systemProcesses = {
    ...systemProcesses,
    run: (command, args, more) => {
      if (more?.input !== undefined) scripts.push(more.input);
      return systemProcesses.run(command, args, more);
    },
  };
  const proxy = await startProxy(
    {
      mode: "nftables",
      nodeName: "n1",
      nodeIps: [lab.nodeAddress],
      clusterCidr: lab.clusterCidr,
      networkNamespace: network.node,
      ...options,
    },
    { informers, processes, ...deps },
  );
  informers.start();
  await proxy.synced();
  return new TestProxy(api, informers, proxy, scripts);
}

class TestProxy {
  readonly api: FakeApi;
  readonly #informers: InformerFactory;
  readonly proxy: RunningProxy;
  readonly scripts: string[];
  constructor(api: FakeApi, informers: InformerFactory, proxy: RunningProxy, scripts: string[]) {
    this.api = api;
    this.#informers = informers;
    this.proxy = proxy;
    this.scripts = scripts;
  }

  /** Both in the kernel when it resolves. `on` says on which node a pod is. */
  async serve(
    name: string,
    spec: Service["spec"],
    backends: readonly PodName[],
    more: { on?: string; status?: Service["status"]; protocol?: string } = {},
  ) {
    const service = this.api.put(services, {
      metadata: { name, namespace: "default" },
      spec,
      ...(more.status && { status: more.status }),
    } as Service);
    const slice = this.api.put(endpointSlices, {
      metadata: { name: `${name}-1`, namespace: "default", labels: { "kubernetes.io/service-name": name } },
      addressType: "IPv4",
      ports: [{ name: "", port: lab.port, protocol: more.protocol ?? "TCP" }],
      endpoints: backends.map((pod) => ({ addresses: [pods[pod]], conditions: { ready: true }, nodeName: more.on ?? "n1" })),
    } as EndpointSlice);
    await this.#informers.informer(services).reached(service.metadata.resourceVersion);
    await this.#informers.informer(endpointSlices).reached(slice.metadata.resourceVersion);
    await this.proxy.synced();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.proxy[Symbol.asyncDispose]();
    await this.#informers[Symbol.asyncDispose]();
  }
}

const port = (more: object = {}) => [{ port: 80, protocol: "TCP", targetPort: lab.port, ...more }];
const names = (replies: readonly { backend: string }[]): string[] => replies.map((reply) => reply.backend);
const tables = async (namespace: string): Promise<string> =>
  (await run("ip", ["netns", "exec", namespace, "nft", "list", "tables"])).stdout.trim();

describe("service rules in the kernel", { skip, concurrency: false }, () => {
  let network: ServiceLab;
  let rules: TestProxy;
  before(async () => {
    network = await startServiceLab();
    rules = await startTestProxy(network, { keepRules: true });
  });
  after(async () => {
    await rules?.[Symbol.asyncDispose]();
    await network?.[Symbol.asyncDispose]();
  });

  test("a pod reaches every backend of a cluster IP evenly, and they see the pod's own address", async () => {
    await rules.serve("web", { clusterIP: "10.96.0.10", ports: port() }, ["a", "b", "c"]);
    const replies = await network.ask(network.pod("a"), "10.96.0.10", 80, 150);
    for (const name of ["a", "b", "c"]) {
      const share = replies.filter((reply) => reply.backend === name);
      assert.ok(share.length >= 20 && share.length <= 85, `${name} answered ${share.length} of 150`);
      if (name !== "a") for (const reply of share) assert.equal(reply.source, pods.a);
    }
  });

  test("the table has the service in map service-ips, where upstream has it", async () => {
    const { stdout } = await run("ip", ["netns", "exec", network.node, "nft", "list", "map", "ip", "kube-proxy", "service-ips"]);
    assert.match(stdout, /10\.96\.0\.10 \. tcp \. 80 : goto /);
  });

  test("the node itself reaches a cluster IP", async () => {
    const [reply] = await network.ask(network.node, "10.96.0.10", 80);
    assert.match(reply?.backend ?? "", /^[abc]$/);
  });

  test("who comes from outside to a cluster IP is masqueraded, so that the answer finds its way back", async () => {
    const [reply] = await network.ask(network.outside, "10.96.0.10", 80);
    assert.equal(reply?.source, lab.gateway);
  });

  test("a node port answers on every address of the node, from outside, from the node and from pods, but not on loopback", async () => {
    await rules.serve("np", { type: "NodePort", clusterIP: "10.96.0.11", ports: port({ nodePort: 30080 }) }, ["b", "c"]);
    const asked = await Promise.all([
      network.ask(network.outside, lab.nodeAddress, 30080, 20),
      network.ask(network.outside, lab.gateway, 30080),
      network.ask(network.node, lab.nodeAddress, 30080),
      network.ask(network.pod("a"), lab.nodeAddress, 30080),
    ]).then((replies) => replies.flat());
    assert.deepEqual([...new Set(names(asked))].sort(), ["b", "c"]);
    assert.deepEqual(new Set(asked.map((reply) => reply.source)), new Set([lab.gateway]));
    assert.deepEqual(names(await network.ask(network.node, "127.0.0.1", 30080)), ["ECONNREFUSED"]);
  });

  test("an external IP answers from outside and from the node", async () => {
    await rules.serve("ext", { clusterIP: "10.96.0.12", externalIPs: ["198.51.100.7"], ports: port() }, ["c"]);
    assert.deepEqual(names(await network.ask(network.outside, "198.51.100.7", 80)), ["c"]);
    assert.deepEqual(names(await network.ask(network.node, "198.51.100.7", 80)), ["c"]);
  });

  test("session affinity keeps each client at one backend until that backend leaves", async () => {
    const spec: Service["spec"] = {
      clusterIP: "10.96.0.13",
      ports: port(),
      sessionAffinity: "ClientIP",
      sessionAffinityConfig: { clientIP: { timeoutSeconds: 100 } },
    };
    await rules.serve("sticky", spec, ["a", "b", "c"]);
    const [first = ""] = names(await network.ask(network.pod("a"), "10.96.0.13", 80));
    const other = (["a", "b", "c"] as const).filter((name) => name !== first);
    assert.deepEqual(new Set(names(await network.ask(network.pod("a"), "10.96.0.13", 80, 20))), new Set([first]));
    await rules.serve("sticky", spec, [first as PodName, other[0] as PodName]);
    assert.deepEqual(
      new Set(names(await network.ask(network.pod("a"), "10.96.0.13", 80, 20))),
      new Set([first]),
      "after another backend left",
    );
    await rules.serve("sticky", spec, other);
    const after = new Set(names(await network.ask(network.pod("a"), "10.96.0.13", 80, 20)));
    assert.ok(after.size === 1 && !after.has(first), `after its backend left: ${[...after]}`);
  });

  test("session affinity ends when a client stayed away for longer than its time", async () => {
    await rules.serve(
      "brief",
      {
        clusterIP: "10.96.0.14",
        ports: port(),
        sessionAffinity: "ClientIP",
        sessionAffinityConfig: { clientIP: { timeoutSeconds: 1 } },
      },
      ["a", "b", "c"],
    );
    await network.ask(network.pod("a"), "10.96.0.14", 80);
    const list = async (): Promise<string> =>
      (await run("ip", ["netns", "exec", network.node, "nft", "list", "table", "ip", "kube-proxy"])).stdout;
    assert.match(await list(), new RegExp(`elements = \\{ ${pods.a} timeout 1s`));
    for (const deadline = performance.now() + 20_000; new RegExp(`${pods.a} timeout 1s`).test(await list()); )
      assert.ok(performance.now() < deadline, "still there after 20 s");
  });

  test("a service without endpoints refuses at once: pods, the node, the outside, at every kind of address", async () => {
    await rules.serve(
      "empty",
      { type: "NodePort", clusterIP: "10.96.0.15", externalIPs: ["198.51.100.8"], ports: port({ nodePort: 30081 }) },
      [],
    );
    const replies = await Promise.all([
      network.ask(network.pod("a"), "10.96.0.15", 80),
      network.ask(network.node, "10.96.0.15", 80),
      network.ask(network.outside, lab.nodeAddress, 30081),
      network.ask(network.outside, "198.51.100.8", 80),
    ]).then((replies) => replies.flat());
    assert.deepEqual(names(replies), ["ECONNREFUSED", "ECONNREFUSED", "ECONNREFUSED", "ECONNREFUSED"]);
    for (const reply of replies) assert.ok(reply.milliseconds < 900, `${reply.milliseconds} ms`);
  });

  test("a port that the service does not have is refused at once", async () => {
    assert.deepEqual(names(await network.ask(network.pod("a"), "10.96.0.10", 81)), ["ECONNREFUSED"]);
    assert.deepEqual(names(await network.ask(network.node, "10.96.0.10", 81)), ["ECONNREFUSED"]);
  });

  test("a pod reaches itself through the service", async () => {
    await rules.serve("self", { clusterIP: "10.96.0.16", ports: port() }, ["a"]);
    assert.deepEqual(names(await network.ask(network.pod("a"), "10.96.0.16", 80, 3)), ["a", "a", "a"]);
  });

  test("an endpoint that leaves costs a change of a few elements, and gets no connection any more", async () => {
    await rules.serve("web", { clusterIP: "10.96.0.10", ports: port() }, ["a", "b", "c"]);
    const before = rules.scripts.length;
    await rules.serve("web", { clusterIP: "10.96.0.10", ports: port() }, ["a", "c"]);
    const script = rules.scripts.slice(before).join("");
    assert.ok(!script.includes("delete table") && script.length < 1000, script);
    assert.deepEqual([...new Set(names(await network.ask(network.pod("b"), "10.96.0.10", 80, 40)))].sort(), ["a", "c"]);
  });

  test("a UDP client with one socket moves on when its endpoint leaves", async () => {
    const spec: Service["spec"] = { clusterIP: "10.96.0.17", ports: port({ protocol: "UDP" }) };
    await rules.serve("udp", spec, ["b"], { protocol: "UDP" });
    using talk = network.conversation(network.pod("a"), "udp", "10.96.0.17", 80);
    assert.equal(await talk.ask(), "b");
    await rules.serve("udp", spec, ["c"], { protocol: "UDP" });
    assert.equal(await talk.ask(), "c");
  });

  test("externalTrafficPolicy Local keeps the client's address, and drops what finds no endpoint here", async () => {
    const spec: Service["spec"] = {
      type: "NodePort",
      externalTrafficPolicy: "Local",
      clusterIP: "10.96.0.18",
      ports: port({ nodePort: 30082 }),
    };
    await rules.serve("local", spec, ["b"]);
    assert.deepEqual(
      (await network.ask(network.outside, lab.nodeAddress, 30082)).map(({ backend, source }) => [backend, source]),
      [["b", lab.outsideAddress]],
    );
    await rules.serve("local", spec, ["b"], { on: "n2" });
    assert.deepEqual(names(await network.ask(network.outside, lab.nodeAddress, 30082)), ["timeout"]);
    assert.deepEqual(
      names(await network.ask(network.node, lab.nodeAddress, 30082)),
      ["b"],
      "the node itself reaches every endpoint",
    );
    assert.deepEqual(names(await network.ask(network.pod("a"), lab.nodeAddress, 30082)), ["b"], "so does a pod");
  });

  test("loadBalancerSourceRanges let nobody else in", async () => {
    const spec = (range: string): Service["spec"] => ({
      type: "LoadBalancer",
      clusterIP: "10.96.0.19",
      loadBalancerSourceRanges: [range, "203.0.113.0/24"],
      ports: port({ nodePort: 30083 }),
    });
    const status = { loadBalancer: { ingress: [{ ip: "198.51.100.9" }] } };
    await rules.serve("lb", spec("192.0.2.0/28"), ["b"], { status });
    assert.deepEqual(names(await network.ask(network.outside, "198.51.100.9", 80)), ["b"]);
    await rules.serve("lb", spec("192.0.2.64/28"), ["b"], { status });
    assert.deepEqual(names(await network.ask(network.outside, "198.51.100.9", 80)), ["timeout"]);
  });

  test("no change of all these needed more than a change of the table", () => {
    assert.equal(rules.scripts.filter((script) => script.includes("delete table")).length, 1, "the first load");
  });

  test("a proxy that is killed and starts anew drops no connection, old or new, and then follows again", async () => {
    await rules.serve("web", { clusterIP: "10.96.0.10", ports: port() }, ["b", "c"]);
    using talk = network.conversation(network.pod("a"), "tcp", "10.96.0.10", 80);
    const peer = await talk.ask();
    let asking = true;
    const during = network.ask(network.pod("a"), "10.96.0.10", 80, 1500).finally(() => {
      asking = false;
    });
    let restarts = 0;
    for (; asking; restarts++) {
      // As kill -9 leaves it: nothing is cleaned up, and the next knows nothing of the table it finds.
      await rules[Symbol.asyncDispose]();
      rules = await startTestProxy(network, { keepRules: true }, rules.api);
    }
    assert.ok(restarts >= 2, `${restarts} restarts`);
    assert.ok(!rules.scripts.some((script) => script.includes("delete table")), "the hooks were never gone");
    assert.deepEqual([...new Set(names(await during))].sort(), ["b", "c"], "every one of 1500 connections was answered");
    assert.equal(await talk.ask(), peer, "an established connection stays where it is");
    await rules.serve("web", { clusterIP: "10.96.0.10", ports: port() }, ["c"]);
    assert.deepEqual([...new Set(names(await network.ask(network.pod("a"), "10.96.0.10", 80, 10)))], ["c"]);
    await rules[Symbol.asyncDispose]();
  });

  test("a table that somebody flushed comes back", async () => {
    rules = await startTestProxy(network, { syncPeriodMs: 50 }, rules.api);
    await run("ip", ["netns", "exec", network.node, "nft", "flush", "ruleset"]);
    for (const deadline = performance.now() + 20_000; !(await tables(network.node)).includes("kube-proxy"); )
      assert.ok(performance.now() < deadline, "not back after 20 s");
    assert.deepEqual(names(await network.ask(network.pod("a"), "10.96.0.10", 80)), ["c"]);
  });

  test("disposal removes the table", async () => {
    await rules[Symbol.asyncDispose]();
    assert.equal(await tables(network.node), "");
  });

  test("the lab leaves no namespace", async () => {
    await network[Symbol.asyncDispose]();
    assert.ok(!(await run("ip", ["netns", "list"])).stdout.includes(`svc${process.pid}`));
  });
});
