// A node that somebody creates to be simulated, where `tiphys up` has no nodes of its own: it runs pods, and does so again after a restart.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Scratch } from "../store/support/scratch.ts";
import { ownKubectl } from "../support/own-kubectl.ts";
import { startTiphys, type Tiphys } from "../support/tiphys.ts";

const start = (dataDir: string): Promise<Tiphys> => startTiphys(["--nodes", "0", "--sim-nodes", "0"], { dataDir });

async function says({ info, output }: Tiphys, words: string, wanted: string, input?: object): Promise<void> {
  const result = await ownKubectl(info.kubeconfig, words.split(" "), input === undefined ? {} : { input: JSON.stringify(input) });
  assert.deepEqual(result, { code: 0, stdout: wanted, stderr: "" }, `${words}\n${output()}`);
}

const podOn = (node: string, name: string): object => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name },
  spec: { nodeName: node, containers: [{ name: "app", image: "nginx" }] },
});

test("a created node is served again after a restart, with the pods that it had", async () => {
  using scratch = new Scratch("created-node");
  {
    await using cluster = await start(scratch.path);
    assert.deepEqual(cluster.info.nodes, []);
    await says(cluster, "wait --for=create sa/default --timeout=90s", "serviceaccount/default condition met\n");
    await says(cluster, "create node mine", "node/mine created\n");
    await says(cluster, "wait --for=condition=Ready node/mine --timeout=90s", "node/mine condition met\n");
    await says(cluster, "apply -f -", "pod/first created\n", podOn("mine", "first"));
    await says(cluster, "wait --for=condition=Ready pod/first --timeout=90s", "pod/first condition met\n");
  }
  await using cluster = await start(scratch.path);
  assert.deepEqual(cluster.info.nodes, []); // ready without waiting for it
  await says(cluster, "wait --for=condition=Ready pod/first --timeout=90s", "pod/first condition met\n");
  await says(cluster, "apply -f -", "pod/second created\n", podOn("mine", "second"));
  await says(cluster, "wait --for=condition=Ready pod/second --timeout=90s", "pod/second condition met\n");
  await says(cluster, "delete pod first second --timeout=90s", 'pod "first" deleted\npod "second" deleted\n');
  await says(cluster, "delete node mine", 'node "mine" deleted\n');
});
