// The controllers against the real API server, scheduler and simulated nodes, on virtual time, every request as bytes.
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  type ApiObject,
  configMaps,
  controllerRevisions,
  cronJobs,
  daemonSets,
  deployments,
  endpointSlices,
  endpoints,
  isNotFound,
  jobs,
  namespaces,
  nodes,
  persistentVolumeClaims,
  podDisruptionBudgets,
  pods,
  type ResourceType,
  replicaSets,
  replicationControllers,
  resourceQuotas,
  type Stored,
  serviceAccounts,
  services,
  statefulSets,
} from "../../src/api/mod.ts";
import { type Cluster, createCluster } from "../../src/cluster/mod.ts";

const namespace = "shop";

async function start(simNodes = 2): Promise<Cluster> {
  const cluster = await createCluster({ simNodes, seed: 7, wire: true });
  await cluster.client.create(namespaces, { metadata: { name: namespace }, spec: {} });
  await cluster.until(() => present(cluster, serviceAccounts, "default"));
  return cluster;
}

async function present(cluster: Cluster, type: ResourceType, name: string): Promise<boolean> {
  return (await find(cluster, type, name)) !== undefined;
}

async function find<T extends ApiObject>(cluster: Cluster, type: ResourceType<T>, name: string): Promise<Stored<T> | undefined> {
  try {
    return await cluster.client.get(type, { namespace: type.namespaced ? namespace : undefined, name });
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
}

const all = async <T extends ApiObject>(cluster: Cluster, type: ResourceType<T>): Promise<readonly Stored<T>[]> =>
  (await cluster.client.list(type, { namespace })).items;
const names = async (cluster: Cluster, type: ResourceType): Promise<string[]> =>
  (await all(cluster, type)).map(({ metadata }) => metadata.name).sort();

const template = (app: string, image = "v1", more: object = {}) => ({
  metadata: { labels: { app } },
  spec: { containers: [{ name: "c", image, ports: [{ name: "http", containerPort: 8080 }] }], ...more },
});
const selector = (app: string) => ({ matchLabels: { app } });

test("a Deployment comes up, rolls to a new image within its bounds, rolls back, and keeps its history", async () => {
  await using cluster = await start();
  const { client } = cluster;
  await client.create(deployments, {
    metadata: { namespace, name: "web" },
    spec: { replicas: 6, selector: selector("web"), template: template("web") },
  });
  const complete = async (): Promise<boolean> => {
    const { status, spec, metadata } = await client.get(deployments, { namespace, name: "web" });
    return (
      status?.observedGeneration === metadata.generation &&
      status?.updatedReplicas === spec.replicas &&
      status?.availableReplicas === spec.replicas &&
      status?.replicas === spec.replicas
    );
  };
  await cluster.until(complete, 120_000);
  for (const image of ["v2", "v1"]) {
    const web = await client.get(deployments, { namespace, name: "web" });
    await client.update(deployments, { ...web, spec: { ...web.spec, template: template("web", image) } });
    await cluster.until(async () => {
      const living = (await all(cluster, pods)).filter(({ metadata }) => metadata.deletionTimestamp === undefined);
      const ready = living.filter(({ status }) =>
        status?.conditions?.some(({ type, status: yes }) => type === "Ready" && yes === "True"),
      );
      assert.ok(living.length <= 8, `${living.length} pods`);
      assert.ok(ready.length >= 5, `${ready.length} ready`);
      return complete();
    }, 600_000);
    assert.deepEqual(
      [
        ...new Set(
          (await all(cluster, pods))
            .filter(({ metadata }) => metadata.deletionTimestamp === undefined)
            .map(({ spec }) => spec.containers[0]?.image),
        ),
      ],
      [image],
    );
  }
  const web = await client.get(deployments, { namespace, name: "web" });
  assert.equal(web.metadata.annotations?.["deployment.kubernetes.io/revision"], "3");
  assert.equal((await all(cluster, replicaSets)).length, 2);
  assert.equal(web.status?.conditions?.find(({ type }) => type === "Progressing")?.reason, "NewReplicaSetAvailable");
});

test("a Service's endpoints follow its pods, and go with it", async () => {
  await using cluster = await start();
  const { client } = cluster;
  await client.create(services, {
    metadata: { namespace, name: "web" },
    spec: { selector: { app: "web" }, ports: [{ port: 80, targetPort: "http" }] },
  });
  await client.create(replicaSets, {
    metadata: { namespace, name: "web" },
    spec: { replicas: 3, selector: selector("web"), template: template("web") },
  });
  const ready = async (): Promise<number> =>
    (await all(cluster, endpointSlices))
      .flatMap(({ endpoints: list = [] }) => list)
      .filter(({ conditions }) => conditions?.ready === true).length;
  await cluster.until(async () => (await ready()) === 3, 120_000);
  const [slice] = await all(cluster, endpointSlices);
  assert.deepEqual(slice?.ports, [{ name: "", port: 8080, protocol: "TCP" }]);
  assert.equal((await client.get(endpoints, { namespace, name: "web" })).subsets?.[0]?.addresses?.length, 3);
  const web = await client.get(replicaSets, { namespace, name: "web" });
  await client.update(replicaSets, { ...web, spec: { ...web.spec, replicas: 1 } });
  await cluster.until(async () => (await ready()) === 1, 120_000);
  await client.delete(services, { namespace, name: "web" });
  await cluster.until(
    async () => (await names(cluster, endpointSlices)).length === 0 && (await names(cluster, endpoints)).length === 0,
    120_000,
  );
});

test("deleting a Deployment in the background takes everything, orphaning leaves its ReplicaSet and pods, foreground waits for them", async () => {
  await using cluster = await start();
  const { client } = cluster;
  const make = async (name: string): Promise<void> => {
    await client.create(deployments, {
      metadata: { namespace, name },
      spec: { replicas: 2, selector: selector(name), template: template(name) },
    });
    await cluster.until(async () => (await find(cluster, deployments, name))?.status?.availableReplicas === 2, 120_000);
  };
  const of = async (type: ResourceType, app: string): Promise<number> =>
    (await all(cluster, type)).filter(({ metadata }) => metadata.labels?.["app"] === app).length;
  for (const name of ["background", "orphan", "foreground"]) await make(name);
  await client.delete(deployments, { namespace, name: "background" }, { propagationPolicy: "Background" });
  await cluster.until(async () => (await of(replicaSets, "background")) + (await of(pods, "background")) === 0, 120_000);

  await client.delete(deployments, { namespace, name: "orphan" }, { propagationPolicy: "Orphan" });
  await cluster.until(async () => !(await present(cluster, deployments, "orphan")), 120_000);
  assert.deepEqual([await of(replicaSets, "orphan"), await of(pods, "orphan")], [1, 2]);
  assert.equal(
    (await all(cluster, replicaSets)).find(({ metadata }) => metadata.labels?.["app"] === "orphan")?.metadata.ownerReferences,
    undefined,
  );

  await client.delete(deployments, { namespace, name: "foreground" }, { propagationPolicy: "Foreground" });
  await cluster.until(async () => {
    const gone = !(await present(cluster, deployments, "foreground"));
    if (gone) assert.deepEqual([await of(replicaSets, "foreground"), await of(pods, "foreground")], [0, 0]);
    return gone;
  }, 120_000);
});

test("a namespace with a StatefulSet and its claims goes entirely", async () => {
  await using cluster = await start();
  const { client } = cluster;
  const volumeClaimTemplates = [
    { metadata: { name: "data" }, spec: { accessModes: ["ReadWriteOnce"], resources: { requests: { storage: "1Gi" } } } },
  ];
  await client.create(statefulSets, {
    metadata: { namespace, name: "db" },
    spec: { replicas: 1, serviceName: "db", selector: selector("db"), template: template("db"), volumeClaimTemplates },
  });
  await cluster.until(async () => (await names(cluster, pods)).includes("db-0"), 60_000);
  assert.deepEqual(await names(cluster, persistentVolumeClaims), ["data-db-0"]);
  await client.delete(namespaces, { name: namespace });
  await cluster.until(async () => !(await present(cluster, namespaces, namespace)), 300_000);
});

test("a deleted namespace is emptied, of pods first, and is gone", async () => {
  await using cluster = await start();
  const { client } = cluster;
  await client.create(configMaps, { metadata: { namespace, name: "config" } });
  await client.create(deployments, {
    metadata: { namespace, name: "web" },
    spec: { replicas: 3, selector: selector("web"), template: template("web") },
  });
  await cluster.until(async () => (await find(cluster, deployments, "web"))?.status?.availableReplicas === 3, 120_000);
  await client.delete(namespaces, { name: namespace });
  await cluster.until(async () => {
    const here = (await names(cluster, pods)).length;
    if (here > 0) assert.ok(await present(cluster, configMaps, "config"), "the ConfigMap went before the last pod");
    return !(await present(cluster, namespaces, namespace));
  }, 300_000);
  assert.deepEqual(
    [await names(cluster, pods), await names(cluster, deployments), await names(cluster, configMaps)],
    [[], [], []],
  );
});

test("a pod on a node that is not there is removed after 40 s, and leaves no trace", async () => {
  await using cluster = await start(0);
  await cluster.client.create(pods, {
    metadata: { namespace, name: "ghost" },
    spec: { nodeName: "nowhere", containers: [{ name: "c", image: "i" }] },
  });
  const since = cluster.clock.monotonic();
  await cluster.until(async () => !(await present(cluster, pods, "ghost")), 300_000);
  assert.ok(cluster.clock.monotonic() - since >= 40_000);
});

test("the pods of a node that falls silent are rebuilt elsewhere after 50 s and their tolerated 300 s", async () => {
  await using cluster = await start(2);
  const { client } = cluster;
  await client.create(deployments, {
    metadata: { namespace, name: "web" },
    spec: { replicas: 4, selector: selector("web"), template: template("web") },
  });
  await cluster.until(async () => (await find(cluster, deployments, "web"))?.status?.availableReplicas === 4, 120_000);
  const [victim = ""] = (await all(cluster, pods)).map(({ spec }) => spec.nodeName);
  const about = (text: string): boolean => text.includes(victim);
  using _silent = cluster.faults.add({
    component: "kubelet",
    effect: "unavailable",
    matches: ({ path, body }) => about(path) || about(JSON.stringify(body ?? "")),
  });
  const since = cluster.clock.monotonic();
  await cluster.until(
    async () =>
      (await client.get(nodes, { name: victim })).status?.conditions?.find(({ type }) => type === "Ready")?.status === "Unknown",
    120_000,
  );
  const silentMs = cluster.clock.monotonic() - since;
  assert.ok(silentMs >= 38_000 && silentMs <= 52_000, `Unknown after ${silentMs} ms`);
  await cluster.until(async () => {
    const elsewhere = (await all(cluster, pods)).filter(
      ({ spec, metadata, status }) =>
        spec.nodeName !== victim && metadata.deletionTimestamp === undefined && status?.phase === "Running",
    );
    return elsewhere.length === 4;
  }, 600_000);
  const rebuiltMs = cluster.clock.monotonic() - since;
  assert.ok(rebuiltMs >= 330_000 && rebuiltMs <= 420_000, `rebuilt after ${rebuiltMs} ms`);
});

test("with a tenth of all answers lost a rollout still ends with exactly the pods that were asked for", async () => {
  await using cluster = await start(2);
  const { client } = cluster;
  {
    using _lost = cluster.faults.add({
      effect: "unknown-outcome",
      probability: 0.1,
      matches: ({ method, query }) => method !== "GET" && query["watch"] === undefined,
    });
    const retry = async (work: () => Promise<unknown>): Promise<void> => {
      for (let i = 0; i < 20; i++)
        if (
          await work().then(
            () => true,
            () => false,
          )
        )
          return;
    };
    await retry(() =>
      client.create(deployments, {
        metadata: { namespace, name: "web" },
        spec: { replicas: 5, selector: selector("web"), template: template("web") },
      }),
    );
    await cluster.until(async () => (await find(cluster, deployments, "web"))?.status?.availableReplicas === 5, 600_000);
    await retry(() =>
      client.patch(
        deployments,
        { namespace, name: "web" },
        { type: "strategic", body: { spec: { template: { spec: { containers: [{ name: "c", image: "v2" }] } } } } },
      ),
    );
    await cluster.until(async () => {
      const living = (await all(cluster, pods)).filter(({ metadata }) => metadata.deletionTimestamp === undefined);
      assert.ok(living.length <= 7, `${living.length} pods`);
      return living.length === 5 && living.every(({ spec }) => spec.containers[0]?.image === "v2");
    }, 900_000);
  }
  await cluster.until(async () => (await find(cluster, deployments, "web"))?.status?.updatedReplicas === 5, 600_000);
});

test("a Job runs to completion, one that fails stops at its limit, and finished ones go after their time to live", async () => {
  await using cluster = await start();
  const { client } = cluster;
  const job = (name: string, command: string[], more: object = {}) =>
    client.create(jobs, {
      metadata: { namespace, name },
      spec: { template: { spec: { restartPolicy: "Never", containers: [{ name: "c", image: "i", command }] } }, ...more },
    });
  await job("good", ["sh", "-c", "sleep 2; exit 0"], { completions: 4, parallelism: 2, ttlSecondsAfterFinished: 30 });
  await job("bad", ["false"], { backoffLimit: 1 });
  const ended = async (name: string): Promise<string | undefined> =>
    (await find(cluster, jobs, name))?.status?.conditions?.find(
      ({ type, status }) => (type === "Complete" || type === "Failed") && status === "True",
    )?.reason;
  await cluster.until(async () => (await ended("good")) !== undefined, 300_000);
  assert.equal((await find(cluster, jobs, "good"))?.status?.succeeded, 4);
  await cluster.until(async () => (await ended("bad")) !== undefined, 300_000);
  assert.deepEqual([await ended("bad"), (await find(cluster, jobs, "bad"))?.status?.failed], ["BackoffLimitExceeded", 2]);
  await cluster.until(async () => !(await present(cluster, jobs, "good")), 300_000);
  assert.ok(await present(cluster, jobs, "bad"));
});

test("a CronJob starts a Job every minute and keeps three finished ones", async () => {
  await using cluster = await start();
  const jobTemplate = {
    spec: { template: { spec: { restartPolicy: "Never", containers: [{ name: "c", image: "i", command: ["true"] }] } } },
  };
  await cluster.client.create(cronJobs, { metadata: { namespace, name: "tick" }, spec: { schedule: "* * * * *", jobTemplate } });
  const started = new Set<string>();
  await cluster.until(async () => {
    for (const name of await names(cluster, jobs)) started.add(name);
    return started.size >= 6;
  }, 480_000);
  assert.ok((await names(cluster, jobs)).length <= 4);
  assert.ok((await find(cluster, cronJobs, "tick"))?.status?.lastSuccessfulTime !== undefined);
});

test("a StatefulSet comes up in order and is updated from the top", async () => {
  await using cluster = await start();
  const { client } = cluster;
  await client.create(statefulSets, {
    metadata: { namespace, name: "db" },
    spec: { replicas: 3, serviceName: "db", selector: selector("db"), template: template("db") },
  });
  const order: string[] = [];
  await cluster.until(async () => {
    for (const name of await names(cluster, pods)) if (!order.includes(name)) order.push(name);
    return (await find(cluster, statefulSets, "db"))?.status?.readyReplicas === 3;
  }, 120_000);
  assert.deepEqual(order, ["db-0", "db-1", "db-2"]);
  const db = await client.get(statefulSets, { namespace, name: "db" });
  await client.update(statefulSets, { ...db, spec: { ...db.spec, template: template("db", "v2") } });
  await cluster.until(async () => {
    const { status, metadata } = await client.get(statefulSets, { namespace, name: "db" });
    return (
      status?.observedGeneration === metadata.generation &&
      status?.currentRevision === status?.updateRevision &&
      status?.readyReplicas === 3 &&
      status?.updatedReplicas === 3
    );
  }, 600_000);
  assert.deepEqual(
    (await all(cluster, pods)).map(({ spec }) => spec.containers[0]?.image),
    ["v2", "v2", "v2"],
  );
  assert.equal((await names(cluster, controllerRevisions)).length, 2);
});

test("a DaemonSet has a pod on every node", async () => {
  await using cluster = await start(3);
  await cluster.client.create(daemonSets, {
    metadata: { namespace, name: "agent" },
    spec: { selector: selector("agent"), template: template("agent") },
  });
  await cluster.until(async () => (await find(cluster, daemonSets, "agent"))?.status?.numberAvailable === 3, 120_000);
  assert.equal(new Set((await all(cluster, pods)).map(({ spec }) => spec.nodeName)).size, 3);
});

test("a ReplicationController adopts a pod that matches and releases one that no longer does", async () => {
  await using cluster = await start();
  const { client } = cluster;
  await client.create(pods, {
    metadata: { namespace, name: "mine", labels: { app: "rc" } },
    spec: { containers: [{ name: "c", image: "i" }] },
  });
  await client.create(replicationControllers, {
    metadata: { namespace, name: "rc" },
    spec: { replicas: 1, selector: { app: "rc" }, template: template("rc") },
  });
  await cluster.until(async () => (await find(cluster, pods, "mine"))?.metadata.ownerReferences?.[0]?.name === "rc", 60_000);
  await client.patch(pods, { namespace, name: "mine" }, { type: "merge", body: { metadata: { labels: { app: "free" } } } });
  await cluster.until(
    async () =>
      (await find(cluster, pods, "mine"))?.metadata.ownerReferences === undefined && (await names(cluster, pods)).length === 2,
    60_000,
  );
});

test("a quota counts what is created and what goes, and refuses what is too much", async () => {
  await using cluster = await start();
  const { client } = cluster;
  await client.create(resourceQuotas, { metadata: { namespace, name: "q" }, spec: { hard: { pods: "2", configmaps: "5" } } });
  const used = async (): Promise<unknown> => (await find(cluster, resourceQuotas, "q"))?.status?.used;
  await cluster.until(async () => (await used()) !== undefined, 60_000);
  await client.create(replicaSets, {
    metadata: { namespace, name: "web" },
    spec: { replicas: 3, selector: selector("web"), template: template("web") },
  });
  await cluster.until(
    async () => (await find(cluster, replicaSets, "web"))?.status?.conditions?.[0]?.type === "ReplicaFailure",
    60_000,
  );
  assert.equal((await names(cluster, pods)).length, 2);
  assert.match(
    (await find(cluster, replicaSets, "web"))?.status?.conditions?.[0]?.message ?? "",
    /exceeded quota: q, requested: pods=1, used: pods=2, limited: pods=2/,
  );
  await client.delete(replicaSets, { namespace, name: "web" }, { propagationPolicy: "Background" });
  await cluster.until(async () => JSON.stringify(await used()).includes('"pods":"0"'), 120_000);
});

test("a PodDisruptionBudget says how many pods may go", async () => {
  await using cluster = await start();
  const { client } = cluster;
  await client.create(podDisruptionBudgets, {
    metadata: { namespace, name: "web" },
    spec: { minAvailable: 2, selector: selector("web") },
  });
  await client.create(replicaSets, {
    metadata: { namespace, name: "web" },
    spec: { replicas: 3, selector: selector("web"), template: template("web") },
  });
  await cluster.until(async () => (await find(cluster, podDisruptionBudgets, "web"))?.status?.disruptionsAllowed === 1, 120_000);
});

test("every node has a range of the pod network and is untainted once it is ready", async () => {
  await using cluster = await start(3);
  await cluster.until(
    async () =>
      (await cluster.client.list(nodes)).items.every(
        ({ spec }) => (spec?.podCIDR ?? "") !== "" && (spec?.taints ?? []).length === 0,
      ),
    60_000,
  );
  const ranges = (await cluster.client.list(nodes)).items.map(({ spec }) => spec?.podCIDR);
  assert.equal(new Set(ranges).size, 3);
});
