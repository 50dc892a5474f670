// Two nodes as network namespaces of this host: pods reach each other and the Service across them, as network policies allow; a dead node's pods are rebuilt on the other.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { leftovers } from "../support/leftovers.ts";
import { kubectl, needsRoot, run, startTiphys, type Tiphys } from "../support/tiphys.ts";

const skip = needsRoot("kubectl", "containerd", "runc", "nft", "ip", "nsenter", "busybox");
const main = join(import.meta.dirname, "../../src/cli/main.ts");
const example = readFileSync(join(import.meta.dirname, "../../examples/hello.yaml"), "utf8");

/** The example with four replicas, spread over the nodes, that leave a lost node after a second instead of five minutes. */
const spread = example.replace("replicas: 3", "replicas: 4").replace(
  "      terminationGracePeriodSeconds: 5\n",
  `      terminationGracePeriodSeconds: 3
      topologySpreadConstraints:
        - {maxSkew: 1, topologyKey: kubernetes.io/hostname, whenUnsatisfiable: ScheduleAnyway, labelSelector: {matchLabels: {app: hello}}}
      tolerations:
        - {key: node.kubernetes.io/unreachable, operator: Exists, effect: NoExecute, tolerationSeconds: 1}
        - {key: node.kubernetes.io/not-ready, operator: Exists, effect: NoExecute, tolerationSeconds: 1}
`,
);

describe("two real nodes", { skip, concurrency: false }, () => {
  let cluster: Tiphys;
  let atFirst: readonly string[];
  const k = async (...args: string[]): Promise<string> => {
    const result = await cluster.kubectl(...args);
    assert.equal(result.code, 0, `kubectl ${args.join(" ")}\n${result.stdout}${result.stderr}`);
    return result.stdout;
  };
  const podsWith = async (path: string): Promise<string[]> =>
    (await k("get", "pods", "-l", "app=hello", "--field-selector=status.phase=Running", "-o", `jsonpath={.items[*]${path}}`))
      .trim()
      .split(" ");
  /** Runs a pod named "NAME-NODE" on that node, with the label app=NAME. Tried again while the namespace's quota is not counted yet. */
  const runOn = async (node: string, name: string, command: readonly string[], more: readonly string[] = []): Promise<void> => {
    const spec = JSON.stringify({ spec: { nodeName: node, terminationGracePeriodSeconds: 0 } });
    const words = [
      "run",
      `${name}-${node}`,
      "--image=tiphys.local/busybox:1",
      `--labels=app=${name}`,
      `--overrides=${spec}`,
      ...more,
    ];
    await eventually(async () => {
      const { code, stderr } = await cluster.kubectl(...words, "--command", "--", ...command);
      return code === 0 ? "made" : stderr;
    }, "made");
  };
  /** What a request from a pod comes to. */
  const reach = async (from: string, url: string, more: readonly string[] = []): Promise<string> => {
    const words = ["exec", from, ...more, "--", "timeout", "2", "wget", "-q", "-O", "-", url];
    const { code, stdout, stderr } = await cluster.kubectl(...words);
    return code === 143 ? "timed out" : (/hello/.exec(stdout)?.[0] ?? stderr);
  };
  const apply = async (spec: object): Promise<void> => {
    const policy = { apiVersion: "networking.k8s.io/v1", kind: "NetworkPolicy", metadata: { name: "test" }, spec };
    const applied = await kubectl(cluster.info.kubeconfig, ["apply", "-f", "-"], { input: JSON.stringify(policy) });
    assert.equal(applied.code, 0, applied.stderr);
  };

  before(async () => {
    atFirst = await leftovers();
    cluster = await startTiphys(["--nodes", "2", "--node-monitor-grace-period", "15s", "--log-level", "info"], {
      timeoutMs: 120_000,
    });
    const applied = await kubectl(cluster.info.kubeconfig, ["apply", "-f", "-"], { input: spread });
    assert.equal(applied.code, 0, applied.stderr);
    await k("rollout", "status", "deployment/hello", "--timeout=90s");
  });
  after(async () => {
    await cluster?.[Symbol.asyncDispose]();
  });

  test("pods of both nodes reach each other and the Service", async () => {
    assert.equal(new Set(await podsWith(".spec.nodeName")).size, 2);
    const names = await podsWith(".metadata.name");
    const addresses = await podsWith(".status.podIP");
    for (const name of names) {
      for (const address of addresses)
        assert.match(await k("exec", name, "--", "wget", "-q", "-O", "-", `http://${address}:8080`), /hello from/);
      assert.match(await k("exec", name, "--", "wget", "-q", "-O", "-", "http://hello.default.svc.cluster.local"), /hello from/);
    }
  });

  test("the NodePort answers on both nodes", async () => {
    const port = await k("get", "svc", "hello", "-o", "jsonpath={.spec.ports[0].nodePort}");
    const addresses = (await k("get", "nodes", "-o", 'jsonpath={.items[*].status.addresses[?(@.type=="InternalIP")].address}'))
      .trim()
      .split(" ");
    for (const address of addresses) assert.match(await (await fetch(`http://${address}:${port}/`)).text(), /hello from/);
  });

  test("a network policy holds across nodes, in both directions, and follows labels; probes go on", async () => {
    for (const node of ["node-1", "node-2"]) await runOn(node, "guest", ["sleep", "600"]);
    await k("wait", "pod", "-l", "app=guest", "--for=condition=Ready", "--timeout=60s");
    const pods = JSON.parse(await k("get", "pods", "-l", "app=hello", "-o", "json")) as {
      items: { spec: { nodeName: string }; status: { podIP: string } }[];
    };
    const servers = new Map(pods.items.map(({ spec, status }) => [spec.nodeName, status.podIP])).values().toArray();
    assert.equal(servers.length, 2);
    const everywhere = async (from: string, expected: "hello" | "timed out"): Promise<void> =>
      void (await Promise.all(servers.map((server) => eventually(() => reach(from, `http://${server}:8080`), expected))));
    await everywhere("guest-node-1", "hello");
    await apply({
      podSelector: { matchLabels: { app: "hello" } },
      ingress: [{ from: [{ podSelector: { matchLabels: { app: "friend" } } }] }],
    });
    await everywhere("guest-node-1", "timed out");
    await everywhere("guest-node-2", "timed out");
    await k("label", "pod", "guest-node-1", "app=friend", "--overwrite");
    await everywhere("guest-node-1", "hello");
    await eventually(() => reach("guest-node-1", "http://hello.default.svc.cluster.local"), "hello");
    assert.equal((await podsWith(".metadata.name")).length, 4);
    await k("wait", "deployment/hello", "--for=jsonpath={.status.readyReplicas}=4", "--timeout=10s");
    await apply({ podSelector: { matchLabels: { app: "guest" } }, policyTypes: ["Egress"] });
    await everywhere("guest-node-2", "timed out");
    await k("delete", "networkpolicy", "test");
    await everywhere("guest-node-2", "hello");
  });

  test("an isolated namespace keeps to itself and to its quota", async () => {
    const made = await run(process.execPath, [
      main,
      "ns",
      "create",
      "team",
      "--isolated",
      "--pods=2",
      "--data-dir",
      cluster.info.dataDir,
    ]);
    assert.equal(made.code, 0, made.stderr);
    const team = ["--namespace", "team"];
    const serve = ["sh", "-c", "mkdir /www && echo hello > /www/index.html && httpd -f -p 8080 -h /www"];
    await runOn("node-1", "server", serve, team);
    await runOn("node-2", "mate", ["sleep", "600"], team);
    await k("wait", "pod", "--all", ...team, "--for=condition=Ready", "--timeout=60s");
    const server = await k("get", "pod", "server-node-1", ...team, "-o", "jsonpath={.status.podIP}");
    await eventually(() => reach("mate-node-2", `http://${server}:8080`, team), "hello");
    assert.equal(await reach("guest-node-1", `http://${server}:8080`), "timed out");
    const [hello = ""] = await podsWith(".status.podIP");
    assert.equal(await reach("mate-node-2", `http://${hello}:8080`, team), "timed out");
    assert.match(
      await k("exec", "mate-node-2", ...team, "--", "nslookup", "hello.default.svc.cluster.local"),
      /Address: 10\.96\./,
    );
    const third = await cluster.kubectl("run", "third", "--image=tiphys.local/busybox:1", ...team);
    assert.match(
      third.stderr,
      /pods "third" is forbidden: exceeded quota: isolated, requested: pods=1, used: pods=2, limited: pods=2/,
    );
    await k("delete", "namespace", "team", "--timeout=60s");
  });

  test("when one node's containerd and kubelet are killed, its pods are rebuilt on the other", async () => {
    const lost = (await podsWith(".spec.nodeName"))[0] ?? "";
    const survivor = lost === "node-1" ? "node-2" : "node-1";
    await run("pkill", ["-9", "-f", `${cluster.info.dataDir}/nodes/${lost}/`]);
    await k("wait", "node", lost, "--for=condition=Ready=Unknown", "--timeout=60s");
    await k("wait", "deployment/hello", "--for=jsonpath={.status.availableReplicas}=4", "--timeout=60s");
    const pods = JSON.parse(await k("get", "pods", "-l", "app=hello", "-o", "json")) as {
      items: { metadata: { deletionTimestamp?: string }; spec: { nodeName: string } }[];
    };
    assert.deepEqual(
      new Set(pods.items.filter((pod) => pod.metadata.deletionTimestamp === undefined).map((pod) => pod.spec.nodeName)),
      new Set([survivor]),
    );
  });

  test("stopping leaves nothing behind, not even of the dead node", async () => {
    assert.equal(await cluster.stop("SIGTERM"), 0, cluster.output());
    const left = await leftovers();
    assert.deepEqual(left, atFirst, `${left.join("\n")}\n${cluster.output()}`);
  });
});

/** Rules follow a change within milliseconds, but nobody waits for them: asked again until it is so. */
async function eventually(ask: () => Promise<string>, expected: string): Promise<void> {
  for (const deadline = performance.now() + 30_000; ; ) {
    const answer = await ask();
    if (answer === expected) return;
    assert.ok(performance.now() < deadline, `"${answer}", not "${expected}", for 30 s`);
  }
}
