// From a manifest to a static pod.
import assert from "node:assert/strict";
import { test } from "node:test";
import { silentLog, VirtualClock } from "#base";
import { httpSource } from "./http-source.ts";
import { staticPod, staticPods } from "./manifest.ts";

const origin = (place: string, now = 0) => ({ source: "file", place, nodeName: "n1", now }) as const;
const manifest =
  "apiVersion: v1\nkind: Pod\nmetadata:\n  name: etcd\n  namespace: kube-system\nspec:\n  hostNetwork: true\n  containers:\n  - name: etcd\n    image: etcd\n";

test("a manifest becomes a pod of this node with a uid of its content, and runs whatever the node's taints", () => {
  const pod = staticPod(manifest, origin("/m/etcd.yaml"));
  assert.deepEqual([pod.metadata.name, pod.metadata.namespace, pod.spec.nodeName], ["etcd-n1", "kube-system", "n1"]);
  assert.deepEqual(pod.spec.tolerations, [{ effect: "NoExecute", operator: "Exists" }]);
  assert.equal(pod.metadata.annotations?.["kubernetes.io/config.source"], "file");
  assert.equal(pod.metadata.annotations?.["kubernetes.io/config.hash"], pod.metadata.uid);
  assert.deepEqual([pod.spec.restartPolicy, pod.spec.containers[0]?.imagePullPolicy], ["Always", "Always"]);
  assert.equal(
    staticPod(manifest, origin("/m/etcd.yaml", 99_000)).metadata.uid,
    pod.metadata.uid,
    "the same content is the same pod",
  );
  assert.notEqual(
    staticPod(manifest.replace("image: etcd", "image: etcd:2"), origin("/m/etcd.yaml")).metadata.uid,
    pod.metadata.uid,
  );
});

test("what is no pod is refused with the file's name", () => {
  for (const [text, error] of [
    ["kind: Service", /"\/m\/x" does not hold a Pod/],
    ["apiVersion: v1\nkind: Pod\nspec: {containers: []}", /has no name/],
  ] as const) {
    assert.throws(() => staticPod(text, origin("/m/x")), error);
  }
});

test("a URL may give one pod or a list of pods", () => {
  const web = { apiVersion: "v1", kind: "Pod", metadata: { name: "web" }, spec: { containers: [{ name: "c", image: "i" }] } };
  const namesOf = (given: object): unknown[] =>
    staticPods(JSON.stringify(given), { ...origin("http://h/"), source: "http" }).map(({ metadata }) => [
      metadata.name,
      metadata.annotations?.["kubernetes.io/config.source"],
    ]);
  const { kind: _kind, apiVersion: _apiVersion, ...bare } = web;
  assert.deepEqual(namesOf(web), [["web-n1", "http"]]);
  assert.deepEqual(namesOf({ apiVersion: "v1", kind: "PodList", items: [bare] }), [["web-n1", "http"]]);
  assert.deepEqual(namesOf({ apiVersion: "v1", kind: "List", items: [web] }), [["web-n1", "http"]]);
  assert.throws(() => namesOf({ kind: "List", items: [{ kind: "Service" }] }), /"http:\/\/h\/" does not hold a Pod/);
});

test("a URL that fails keeps the pods of the last good answer, and is told of once", async () => {
  const answers = [
    { status: 503, statusText: "Service Unavailable", body: "" },
    { status: 200, statusText: "OK", body: manifest },
    { status: 200, statusText: "OK", body: "" },
    { status: 200, statusText: "OK", body: "" },
    { status: 200, statusText: "OK", body: "kind: Service" },
  ];
  const told: unknown[] = [];
  const log = { ...silentLog, warn: (_text: string, fields?: object) => told.push((fields as { error: string }).error) };
  const asked: unknown[] = [];
  const source = httpSource(
    { url: "http://h/pods", headers: [["a", "b"]], everyMs: 20_000 },
    {
      fetch: async (url, headers) => {
        asked.push([url, headers]);
        return answers.shift() ?? assert.fail("asked too often");
      },
      clock: new VirtualClock(),
      log,
      nodeName: "n1",
    },
  );
  assert.equal(await source.look(), false);
  assert.deepEqual(asked, [["http://h/pods", [["a", "b"]]]]);
  assert.deepEqual(source.pods(), []);
  assert.equal(await source.look(), true);
  const [pod] = source.pods();
  assert.equal(pod?.metadata.name, "etcd-n1");
  for (const _ of [1, 2, 3]) assert.equal(await source.look(), false);
  assert.deepEqual(source.pods(), [pod]);
  assert.deepEqual(told, [
    "http://h/pods: 503 Service Unavailable",
    "zero-length data received from http://h/pods",
    '"http://h/pods" does not hold a Pod',
  ]);
});
