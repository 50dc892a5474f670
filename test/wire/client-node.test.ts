// The reference client of JavaScript, @kubernetes/client-node: lists, watches, creates, patches, and reads logs.
import assert from "node:assert/strict";
import { PassThrough } from "node:stream";
import { after, before, describe, test } from "node:test";
import {
  ApiException,
  AppsV1Api,
  CoreV1Api,
  KubeConfig,
  Log,
  makeInformer,
  PatchStrategy,
  setHeaderOptions,
  type V1ConfigMap,
} from "@kubernetes/client-node";
import { startTiphys, type Tiphys } from "../support/tiphys.ts";

describe("@kubernetes/client-node", { concurrency: false }, () => {
  let cluster: Tiphys;
  let config: KubeConfig;
  let core: CoreV1Api;
  before(async () => {
    cluster = await startTiphys(["--nodes", "0", "--sim-nodes", "2"]);
    config = new KubeConfig();
    config.loadFromFile(cluster.info.kubeconfig);
    core = config.makeApiClient(CoreV1Api);
  });
  after(() => cluster?.[Symbol.asyncDispose]());

  test("lists nodes", async () => assert.equal((await core.listNode()).items.length, 2));

  test("an informer sees what is created, patched and deleted", async () => {
    const informer = makeInformer<V1ConfigMap>(config, "/api/v1/namespaces/default/configmaps", () =>
      core.listNamespacedConfigMap({ namespace: "default" }),
    );
    const seen: string[] = [];
    const done = Promise.withResolvers<void>();
    informer.on("add", (object) => void (object.metadata?.name === "seen" && seen.push("add")));
    informer.on("update", (object) => void (object.metadata?.name === "seen" && seen.push(`update ${object.data?.a}`)));
    informer.on("delete", (object) => {
      if (object.metadata?.name !== "seen") return;
      seen.push("delete");
      done.resolve();
    });
    informer.on("error", (error) => done.reject(error as Error));
    await informer.start();
    await core.createNamespacedConfigMap({ namespace: "default", body: { metadata: { name: "seen" }, data: { a: "1" } } });
    await core.patchNamespacedConfigMap(
      { namespace: "default", name: "seen", body: { data: { a: "2" } } },
      setHeaderOptions("Content-Type", PatchStrategy.MergePatch),
    );
    await core.deleteNamespacedConfigMap({ namespace: "default", name: "seen" });
    await done.promise;
    await informer.stop();
    assert.deepEqual(seen, ["add", "update 2", "delete"]);
  });

  test("an error carries the code and the Status", async () => {
    await assert.rejects(
      core.readNamespacedPod({ namespace: "default", name: "none" }),
      (error) => error instanceof ApiException && error.code === 404 && /"reason":"NotFound"/.test(String(error.body)),
    );
  });

  test("creates a Deployment that becomes Ready, and reads a pod's log", async () => {
    const apps = config.makeApiClient(AppsV1Api);
    const labels = { app: "web" };
    await apps.createNamespacedDeployment({
      namespace: "default",
      body: {
        metadata: { name: "web" },
        spec: {
          replicas: 1,
          selector: { matchLabels: labels },
          template: { metadata: { labels }, spec: { containers: [{ name: "a", image: "nginx" }] } },
        },
      },
    });
    let ready = 0;
    while (ready < 1)
      ready = (await apps.readNamespacedDeployment({ namespace: "default", name: "web" })).status?.readyReplicas ?? 0;
    const pod = (await core.listNamespacedPod({ namespace: "default", labelSelector: "app=web" })).items[0]?.metadata?.name ?? "";
    const output = new PassThrough();
    // a simulated node has no logs to give: the refusal must be clear and reach the caller
    await assert.rejects(new Log(config).log("default", pod, "a", output), /50[0-9]|not/i);
  });
});
