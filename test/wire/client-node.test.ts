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

  test("creates a Deployment that becomes Ready", async () => {
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
    assert.equal(ready, 1);
  });

  test("follows the log of a container until it ends, and reads it again afterwards", async () => {
    const command = ["sh", "-c", "echo one; sleep 1; echo two; sleep 1; echo three"];
    await core.createNamespacedPod({
      namespace: "default",
      body: {
        metadata: { name: "talks" },
        spec: { restartPolicy: "Never", containers: [{ name: "a", image: "busybox", command }] },
      },
    });
    const phase = async (): Promise<string> =>
      (await core.readNamespacedPod({ namespace: "default", name: "talks" })).status?.phase ?? "";
    while ((await phase()) === "Pending");
    const log = async (options: { follow?: boolean; tailLines?: number }): Promise<string> => {
      const output = new PassThrough();
      await new Log(config).log("default", "talks", "a", output, options);
      const chunks: Buffer[] = [];
      for await (const chunk of output) chunks.push(chunk as Buffer);
      return Buffer.concat(chunks).toString();
    };
    assert.equal(await log({ follow: true }), "one\ntwo\nthree\n");
    assert.equal(await log({ tailLines: 1 }), "three\n");
    const output = new PassThrough();
    await assert.rejects(
      new Log(config).log("default", "none", "a", output),
      (error) => error instanceof ApiException && error.code === 404,
    );
  });
});
