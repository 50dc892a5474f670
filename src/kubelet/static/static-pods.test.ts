// From a manifest to a static pod.
import assert from "node:assert/strict";
import { test } from "node:test";
import { staticPod } from "./static-pods.ts";

const manifest =
  "apiVersion: v1\nkind: Pod\nmetadata:\n  name: etcd\n  namespace: kube-system\nspec:\n  hostNetwork: true\n  containers:\n  - name: etcd\n    image: etcd\n";

test("a manifest becomes a pod of this node with a uid of its content, and runs whatever the node's taints", () => {
  const pod = staticPod(manifest, "/m/etcd.yaml", "n1", 0);
  assert.deepEqual([pod.metadata.name, pod.metadata.namespace, pod.spec.nodeName], ["etcd-n1", "kube-system", "n1"]);
  assert.deepEqual(pod.spec.tolerations, [{ effect: "NoExecute", operator: "Exists" }]);
  assert.equal(pod.metadata.annotations?.["kubernetes.io/config.source"], "file");
  assert.equal(pod.metadata.annotations?.["kubernetes.io/config.hash"], pod.metadata.uid);
  assert.deepEqual([pod.spec.restartPolicy, pod.spec.containers[0]?.imagePullPolicy], ["Always", "Always"]);
  assert.equal(
    staticPod(manifest, "/m/etcd.yaml", "n1", 99_000).metadata.uid,
    pod.metadata.uid,
    "the same content is the same pod",
  );
  assert.notEqual(
    staticPod(manifest.replace("image: etcd", "image: etcd:2"), "/m/etcd.yaml", "n1", 0).metadata.uid,
    pod.metadata.uid,
  );
});

test("what is no pod is refused with the file's name", () => {
  for (const [text, error] of [
    ["kind: Service", /"\/m\/x" does not hold a Pod/],
    ["apiVersion: v1\nkind: Pod\nspec: {containers: []}", /has no name/],
  ] as const) {
    assert.throws(() => staticPod(text, "/m/x", "n1", 0), error);
  }
});
