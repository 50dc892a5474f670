// Which nodes take ordinary pods: all of them, or all but a dedicated control-plane node (`--single`, `--role`).
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { kubectl, needs, startTiphys, type Tiphys } from "../support/tiphys.ts";

const skip = needs("kubectl");
const role = "node-role.kubernetes.io/control-plane";

const pod = (name: string, spec: object = {}): object => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name },
  spec: { containers: [{ name: "a", image: "a" }], ...spec },
});

async function k(cluster: Tiphys, args: readonly string[], input?: string): Promise<string> {
  const result = await kubectl(cluster.info.kubeconfig, args, input === undefined ? {} : { input });
  assert.equal(result.code, 0, `kubectl ${args.join(" ")}\n${result.stderr}`);
  return result.stdout;
}

const create = async (cluster: Tiphys, pods: readonly object[]): Promise<void> =>
  void (await k(cluster, ["create", "-f", "-"], JSON.stringify({ apiVersion: "v1", kind: "List", items: pods })));

describe("tiphys up --role=control-plane", { skip, concurrency: false }, () => {
  let dataDir: string;
  let cluster: Tiphys;
  const start = (): Promise<Tiphys> => startTiphys(["--nodes=0", "--sim-nodes=2", "--role=control-plane"], { dataDir });
  before(async () => {
    dataDir = mkdtempSync(join(tmpdir(), "roles-"));
    cluster = await start();
  });
  after(async () => {
    await cluster?.[Symbol.asyncDispose]();
    rmSync(dataDir, { recursive: true, force: true });
  });
  const marks = async (): Promise<unknown> => {
    const list = JSON.parse(await k(cluster, ["get", "nodes", "-o", "json"])) as {
      items: { metadata: { name: string; labels: Record<string, string> }; spec: { taints?: unknown } }[];
    };
    return list.items.map(({ metadata, spec }) => [metadata.name, metadata.labels[role], spec.taints]);
  };
  const expected = [
    ["sim-0", "", [{ key: role, effect: "NoSchedule" }]],
    ["sim-1", undefined, undefined],
  ];

  test("the first node has kubeadm's label and taint, the others none", async () => {
    assert.deepEqual(await marks(), expected);
    assert.match(await k(cluster, ["get", "nodes"]), /^sim-0 +Ready +control-plane /m);
  });

  test("ordinary pods never land there, a pod that tolerates the taint can", async () => {
    const guest = { nodeSelector: { [role]: "" }, tolerations: [{ key: role, operator: "Exists", effect: "NoSchedule" }] };
    const labels = { of: "test" };
    const { spec } = pod("plain") as { spec: object };
    await create(cluster, [
      pod("guest", guest),
      {
        apiVersion: "apps/v1",
        kind: "Deployment",
        metadata: { name: "plain" },
        spec: { replicas: 100, selector: { matchLabels: labels }, template: { metadata: { labels }, spec } },
      },
    ]);
    await k(cluster, ["rollout", "status", "deployment/plain", "--timeout=50s"]);
    await k(cluster, ["wait", "pod", "guest", "--for=condition=Ready", "--timeout=50s"]);
    const { items } = JSON.parse(await k(cluster, ["get", "pods", "-o", "json"])) as {
      items: { metadata: { name: string }; spec: { nodeName: string } }[];
    };
    assert.equal(items.length, 101);
    for (const { metadata, spec } of items)
      assert.equal(spec.nodeName, metadata.name === "guest" ? "sim-0" : "sim-1", metadata.name);
  });

  test("after a restart it is as before", async () => {
    assert.equal(await cluster.stop(), 0);
    cluster = await start();
    assert.deepEqual(await marks(), expected);
  });
});

test("tiphys up --single is one node without taints, which takes pods", { skip }, async () => {
  await using cluster = await startTiphys(["--nodes=0", "--single"]);
  await create(cluster, [pod("one")]);
  await k(cluster, ["wait", "pod", "one", "--for=condition=Ready", "--timeout=60s"]);
  assert.equal(await k(cluster, ["get", "nodes", "-o", "jsonpath={.items[*].metadata.name}{.items[*].spec.taints}"]), "sim-0");
});
