// A whole kubelet (volumes on disk, node object, restarts) over a simulated runtime, against the real API server in this process.
import assert from "node:assert/strict";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { configMaps, isNotFound, leases, nodes, type Pod, pods, type Stored, secrets, serviceAccounts, services } from "#api";
import { startApiServer } from "#apiserver";
import { seededRandom, silentLog, systemFiles, VirtualClock } from "#base";
import { type Client, createClient, inProcessTransport } from "#client";
import { type ContainerConfig, type KubeletOptions, type RunningKubelet, type Runtime, startKubelet } from "#kubelet";
import { type SimulatedRuntime, simulatedProbes, simulatedRuntime } from "#sim";
import { openMemoryStore } from "#store";

interface Scene extends AsyncDisposable {
  readonly clock: VirtualClock;
  readonly client: Client;
  readonly runtime: SimulatedRuntime;
  readonly directory: string;
  /** Configurations of the containers that were created, oldest first. */
  readonly created: ContainerConfig[];
  readonly told: string[];
  /** What the URL of static pods answers with. */
  manifest: { status: number; statusText: string; body: string };
  kubelet: RunningKubelet;
  start(more?: Partial<KubeletOptions>): Promise<RunningKubelet>;
}

async function scene(more: Partial<KubeletOptions> = {}): Promise<Scene> {
  const clock = new VirtualClock();
  const random = seededRandom(7);
  const directory = mkdtempSync(join(tmpdir(), "kubelet-"));
  const server = await startApiServer(
    { listen: false },
    { store: openMemoryStore({ clock }), clock, random, files: systemFiles, log: silentLog },
  );
  const client = createClient(
    inProcessTransport(server.handle, {
      user: { name: "admin", groups: ["system:masters", "system:authenticated"] },
      userAgent: "test",
    }),
  );
  await client.create(serviceAccounts, { metadata: { name: "default", namespace: "default" } });
  const simulated = simulatedRuntime({ podCidr: () => "10.244.1.0/24" }, { clock, random });
  const created: ContainerConfig[] = [];
  const runtime = new Proxy(simulated, {
    get: (target, name) => {
      const value = Reflect.get(target, name) as unknown;
      if (name === "createContainer") {
        return (id: string, config: ContainerConfig, sandbox: Parameters<Runtime["createContainer"]>[2]) => {
          created.push(config);
          return target.createContainer(id, config, sandbox);
        };
      }
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
  const told: string[] = [];
  const it: Scene = {
    clock,
    client,
    runtime,
    directory,
    created,
    told,
    manifest: { status: 404, statusText: "Not Found", body: "" },
    kubelet: undefined as never, // set below
    start: async (options = {}) => {
      it.kubelet = await startKubelet(
        { nodeName: "n1", nodeIps: ["10.0.0.1"], rootDirectory: directory, clusterDns: ["10.96.0.10"], ...more, ...options },
        {
          client,
          runtime,
          clock,
          random,
          log: silentLog,
          files: systemFiles,
          fetchManifest: async () => it.manifest,
          probes: simulatedProbes(clock),
          capacity: { cpu: "4", memoryBytes: 8 * 2 ** 30, ephemeralBytes: 2 ** 36 },
          nodeInfo: { kernelVersion: "6", osImage: "test", architecture: "amd64", bootId: "b", machineId: "m", systemUuid: "s" },
          events: { record: (_about, _type, reason, message) => told.push(`${reason}: ${message}`) },
        },
      );
      return it.kubelet;
    },
    [Symbol.asyncDispose]: async () => {
      await it.kubelet[Symbol.asyncDispose]();
      await runtime[Symbol.asyncDispose]();
      await server[Symbol.asyncDispose]();
      rmSync(directory, { recursive: true, force: true });
    },
  };
  await it.start();
  return it;
}

/** Lets files on the real disk be read and written: turns of the event loop, no time. */
async function turns(): Promise<void> {
  for (let i = 0; i < 30; i++) await new Promise((resolve) => setImmediate(resolve));
}

const pod = (name: string, spec: Partial<Pod["spec"]> = {}, metadata: Partial<Pod["metadata"]> = {}): Pod => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name, namespace: "default", ...metadata },
  spec: { nodeName: "n1", automountServiceAccountToken: false, containers: [{ name: "app", image: "app:1" }], ...spec },
});

async function until(it: Scene, name: string, holds: (object: Stored<Pod>) => boolean, limitMs = 60_000): Promise<Stored<Pod>> {
  for (const end = it.clock.now() + limitMs; ; ) {
    const found = await it.client.get(pods, { namespace: "default", name });
    if (holds(found)) return found;
    assert.ok(it.clock.now() < end, `pod ${name}: ${JSON.stringify(found.status, null, 1)}\n${it.told.join("\n")}`);
    await turns();
    await it.clock.advance(50);
  }
}

async function untilGone(it: Scene, name: string): Promise<void> {
  for (let i = 0; i < 1000; i++) {
    try {
      await it.client.get(pods, { namespace: "default", name });
    } catch (error) {
      assert.ok(isNotFound(error));
      return;
    }
    await turns();
    await it.clock.advance(50);
  }
  assert.fail(`pod ${name} does not go away`);
}

const isReady = (object: Pod): boolean =>
  object.status?.conditions?.some(({ type, status }) => type === "Ready" && status === "True") ?? false;

test("a kubelet registers its node, reports it Ready and renews its lease", async () => {
  await using it = await scene();
  await it.clock.advance(1000);
  assert.equal(it.kubelet.ready(), undefined);
  const node = await it.client.get(nodes, { name: "n1" });
  assert.deepEqual(node.status?.addresses, [
    { type: "InternalIP", address: "10.0.0.1" },
    { type: "Hostname", address: "n1" },
  ]);
  assert.equal(node.status?.allocatable?.["memory"], "8Gi");
  const ready = node.status?.conditions?.find(({ type }) => type === "Ready");
  assert.deepEqual([ready?.status, ready?.reason, ready?.message], ["True", "KubeletReady", "kubelet is posting ready status"]);
  const first = await it.client.get(leases, { namespace: "kube-node-lease", name: "n1" });
  await it.clock.advance(10_500);
  const second = await it.client.get(leases, { namespace: "kube-node-lease", name: "n1" });
  assert.notEqual(second.spec?.renewTime, first.spec?.renewTime);
});

test("a lease that somebody deleted is there again at the next renewal", async () => {
  await using it = await scene();
  await it.clock.advance(1000);
  const lease = { namespace: "kube-node-lease", name: "n1" };
  const first = await it.client.get(leases, lease);
  await it.client.delete(leases, lease);
  await it.clock.advance(10_500);
  const second = await it.client.get(leases, lease);
  assert.notEqual(second.metadata.uid, first.metadata.uid);
  await it.clock.advance(10_000);
  const third = await it.client.get(leases, lease);
  assert.equal(third.metadata.uid, second.metadata.uid);
  assert.notEqual(third.spec?.renewTime, second.spec?.renewTime);
});

test("volumes of config maps, secrets and the downward API are on disk, follow changes, and go with the pod", async () => {
  await using it = await scene();
  await it.client.create(configMaps, { metadata: { name: "conf", namespace: "default" }, data: { a: "1", b: "2" } });
  await it.client.create(secrets, {
    metadata: { name: "keys", namespace: "default" },
    data: { key: Buffer.from("hidden").toString("base64") },
  });
  const created = await it.client.create(
    pods,
    pod(
      "web",
      {
        containers: [
          {
            name: "app",
            image: "app:1",
            volumeMounts: [
              { name: "c", mountPath: "/c" },
              { name: "s", mountPath: "/s", readOnly: true },
              { name: "d", mountPath: "/d" },
              { name: "e", mountPath: "/e", subPath: "sub/dir" },
            ],
          },
        ],
        volumes: [
          { name: "c", configMap: { name: "conf", items: [{ key: "a", path: "deep/a.txt", mode: 0o400 }] } },
          { name: "s", projected: { sources: [{ secret: { name: "keys" } }, { configMap: { name: "conf" } }] } },
          { name: "d", downwardAPI: { items: [{ path: "labels", fieldRef: { fieldPath: "metadata.labels" } }] } },
          { name: "e", emptyDir: {} },
        ],
      },
      { labels: { app: "web", tier: "front" } },
    ),
  );
  await until(it, "web", isReady);
  const mounts = Object.fromEntries(it.created[0]!.mounts.map((mount) => [mount.containerPath, mount]));
  const at = (path: string): string => mounts[path]?.hostPath ?? "";
  assert.equal(readFileSync(join(at("/c"), "deep/a.txt"), "utf8"), "1");
  assert.equal(statSync(join(at("/c"), "deep/a.txt")).mode & 0o777, 0o400);
  assert.deepEqual(
    readdirSync(at("/c")).filter((name) => !name.startsWith("..")),
    ["deep"],
  );
  assert.equal(readFileSync(join(at("/s"), "key"), "utf8"), "hidden");
  assert.equal(mounts["/s"]?.readOnly, true);
  assert.equal(readFileSync(join(at("/d"), "labels"), "utf8"), 'app="web"\ntier="front"');
  assert.match(at("/e"), /empty-dir\/e\/sub\/dir$/);
  assert.ok(statSync(at("/e")).isDirectory());
  assert.match(readFileSync(at("/etc/hosts"), "utf8"), /10\.244\.1\.2\tweb\n/);
  assert.ok(at("/dev/termination-log").includes("/containers/app/"));

  await it.client.update(configMaps, { metadata: { name: "conf", namespace: "default" }, data: { a: "changed" } });
  await it.clock.advance(21_000);
  for (let i = 0; i < 3000 && readFileSync(join(at("/c"), "deep/a.txt"), "utf8") !== "changed"; i++) await turns();
  assert.equal(readFileSync(join(at("/c"), "deep/a.txt"), "utf8"), "changed");
  for (let i = 0; i < 3000 && existsSync(join(at("/s"), "b")); i++) await turns();
  assert.ok(!existsSync(join(at("/s"), "b")), "a key that is gone is no file any more");

  await it.client.delete(pods, { namespace: "default", name: "web" });
  await untilGone(it, "web");
  assert.ok(!existsSync(join(it.directory, "pods", created.metadata.uid)));
});

test("a subPath that leads out of its volume through a link is refused", async () => {
  await using it = await scene();
  const inside = join(it.directory, "shared");
  mkdirSync(inside);
  symlinkSync("/etc", join(inside, "trap"));
  await it.client.create(
    pods,
    pod("web", {
      containers: [{ name: "app", image: "app:1", volumeMounts: [{ name: "h", mountPath: "/h", subPath: "trap" }] }],
      volumes: [{ name: "h", hostPath: { path: inside, type: "Directory" } }],
    }),
  );
  const stuck = await until(
    it,
    "web",
    (object) => object.status?.containerStatuses?.[0]?.state?.waiting?.reason === "CreateContainerConfigError",
  );
  assert.match(stuck.status?.containerStatuses?.[0]?.state?.waiting?.message ?? "", /leads out of its volume/);
  assert.equal(it.created.length, 0);
});

test("a pod that waits for a config map says so and starts when it is there", async () => {
  await using it = await scene();
  await it.client.create(
    pods,
    pod("web", {
      volumes: [{ name: "c", configMap: { name: "late" } }],
      containers: [{ name: "app", image: "app:1", volumeMounts: [{ name: "c", mountPath: "/c" }] }],
    }),
  );
  const failure = 'FailedMount: MountVolume.SetUp failed for volume "c" : configmap "late" not found';
  await until(it, "web", () => it.told.includes(failure));
  await it.client.create(configMaps, { metadata: { name: "late", namespace: "default" }, data: { a: "1" } });
  await until(it, "web", isReady);
});

test("the environment comes from services, config maps, fields and references, in this order", async () => {
  await using it = await scene();
  await it.client.create(configMaps, { metadata: { name: "conf", namespace: "default" }, data: { COLOR: "red", SIZE: "1" } });
  await it.client
    .create(services, {
      metadata: { name: "data-base", namespace: "default" },
      spec: { clusterIP: "10.96.0.50", ports: [{ port: 5432, name: "pg" }] },
    })
    .catch(() => {});
  await it.clock.advance(100);
  await it.client.create(
    pods,
    pod("web", {
      containers: [
        {
          name: "app",
          image: "app:1",
          command: ["run", "$(SIZE)", "$(NOT)", "$$(SIZE)"],
          resources: { limits: { cpu: "1500m", memory: "64Mi" } },
          envFrom: [{ prefix: "P_", configMapRef: { name: "conf" } }, { configMapRef: { name: "conf" } }],
          env: [
            { name: "SIZE", value: "2" },
            { name: "BOTH", value: "$(COLOR)-$(SIZE)" },
            { name: "POD", valueFrom: { fieldRef: { fieldPath: "metadata.name" } } },
            { name: "IP", valueFrom: { fieldRef: { fieldPath: "status.podIP" } } },
            { name: "CPU", valueFrom: { resourceFieldRef: { resource: "limits.cpu" } } },
          ],
        },
      ],
    }),
  );
  await until(it, "web", isReady);
  const config = it.created[0]!;
  const env = Object.fromEntries(config.env.map(({ name, value }) => [name, value]));
  assert.deepEqual(
    [env["P_COLOR"], env["SIZE"], env["BOTH"], env["POD"], env["IP"], env["CPU"]],
    ["red", "2", "red-2", "web", "10.244.1.2", "2"],
  );
  assert.deepEqual(config.command, ["run", "2", "$(NOT)", "$(SIZE)"]);
  assert.deepEqual(
    [config.resources.cpuQuota, config.resources.memoryLimitBytes, config.resources.cpuShares],
    [150_000, 64 * 2 ** 20, 1536],
  );
});

test("a missing key is a CreateContainerConfigError, an optional one is left out", async () => {
  await using it = await scene();
  await it.client.create(configMaps, { metadata: { name: "conf", namespace: "default" }, data: { a: "1" } });
  const from = (key: string, optional: boolean) => ({ configMapKeyRef: { name: "conf", key, optional } });
  await it.client.create(
    pods,
    pod("web", { containers: [{ name: "app", image: "app:1", env: [{ name: "X", valueFrom: from("missing", false) }] }] }),
  );
  const stuck = await until(
    it,
    "web",
    (object) => object.status?.containerStatuses?.[0]?.state?.waiting?.reason === "CreateContainerConfigError",
  );
  assert.equal(
    stuck.status?.containerStatuses?.[0]?.state?.waiting?.message,
    "couldn't find key missing in ConfigMap default/conf",
  );
  await it.client.create(
    pods,
    pod("fine", { containers: [{ name: "app", image: "app:1", env: [{ name: "X", valueFrom: from("missing", true) }] }] }),
  );
  await until(it, "fine", isReady);
});

test("a kubelet that restarts adopts what runs: nothing is started or stopped", async () => {
  await using it = await scene();
  const [mine] = [await it.client.create(pods, pod("web"))];
  const before = await until(it, "web", isReady);
  await it.kubelet[Symbol.asyncDispose]();
  await it.start();
  await it.clock.advance(30_000);
  const after = await it.client.get(pods, { namespace: "default", name: "web" });
  assert.deepEqual(after.status?.containerStatuses, before.status?.containerStatuses);
  assert.equal(it.created.length, 1);
  assert.equal((await it.runtime.listContainers(mine?.metadata.uid)).length, 1);
});

test("what runs for a pod that was deleted while the kubelet was away is stopped and removed", async () => {
  await using it = await scene();
  await it.client.create(pods, pod("web"));
  await until(it, "web", isReady);
  await it.kubelet[Symbol.asyncDispose]();
  await it.client.delete(pods, { namespace: "default", name: "web" }, { gracePeriodSeconds: 0 });
  await it.start();
  for (let i = 0; i < 3000 && (await it.runtime.listSandboxes()).length > 0; i++) {
    await turns();
    await it.clock.advance(100);
  }
  assert.deepEqual([await it.runtime.listSandboxes(), await it.runtime.listContainers()], [[], []]);
});

test("pods that do not fit are refused with upstream's reasons", async () => {
  await using it = await scene({ maxPods: 2 });
  await it.client.create(
    pods,
    pod("big", { containers: [{ name: "app", image: "app:1", resources: { requests: { cpu: "5" } } }] }),
  );
  const big = await until(it, "big", (object) => object.status?.phase === "Failed");
  assert.deepEqual(
    [big.status?.reason, big.status?.message],
    ["OutOfcpu", "Pod was rejected: Node didn't have enough resource: cpu, requested: 5000, used: 0, capacity: 4000"],
  );
  await it.client.create(pods, pod("picky", { nodeSelector: { disk: "ssd" } }));
  const picky = await until(it, "picky", (object) => object.status?.phase === "Failed");
  assert.deepEqual(
    [picky.status?.reason, picky.status?.message],
    ["NodeAffinity", "Pod was rejected: Predicate NodeAffinity failed: node(s) didn't match Pod's node affinity/selector"],
  );
  const port = { containers: [{ name: "app", image: "app:1", ports: [{ containerPort: 80, hostPort: 8080 }] }] };
  await it.client.create(pods, pod("first", port));
  await until(it, "first", isReady);
  await it.client.create(pods, pod("second", port));
  assert.equal((await until(it, "second", (object) => object.status?.phase === "Failed")).status?.reason, "NodePorts");
  await it.client.create(pods, pod("third"));
  await until(it, "third", isReady);
  await it.client.create(pods, pod("fourth"));
  assert.equal((await until(it, "fourth", (object) => object.status?.phase === "Failed")).status?.reason, "OutOfpods");
  await it.client.delete(pods, { namespace: "default", name: "fourth" });
  await untilGone(it, "fourth");
});

test("a pod is admitted by the labels that the node has now, not by those it registered with", async () => {
  await using it = await scene();
  await it.clock.advance(1000);
  await it.client.patch(nodes, { name: "n1" }, { type: "merge", body: { metadata: { labels: { disk: "ssd" } } } });
  await it.clock.advance(100);
  await it.client.create(pods, pod("picky", { nodeSelector: { disk: "ssd" } }));
  await until(it, "picky", isReady);
});

test("an image that cannot be pulled goes from ErrImagePull to ImagePullBackOff and back", async () => {
  await using it = await scene();
  await it.client.create(pods, pod("web", { containers: [{ name: "app", image: "sim.tiphys.dev/pull-error:1" }] }));
  const reason = (object: Pod): string | undefined => object.status?.containerStatuses?.[0]?.state?.waiting?.reason;
  await until(it, "web", (object) => reason(object) === "ErrImagePull");
  const waiting = await until(it, "web", (object) => reason(object) === "ImagePullBackOff");
  assert.match(
    waiting.status?.containerStatuses?.[0]?.state?.waiting?.message ?? "",
    /^Back-off pulling image "sim\.tiphys\.dev\/pull-error:1": ErrImagePull: rpc error: code = NotFound/,
  );
  await until(it, "web", (object) => reason(object) === "ErrImagePull");
  for (const text of [
    'Pulling: Pulling image "sim.tiphys.dev/pull-error:1"',
    "Failed: Error: ErrImagePull",
    "Failed: Error: ImagePullBackOff",
  ])
    assert.ok(it.told.includes(text), text);
});

test("a liveness probe that fails three times restarts the container, readiness keeps it out of service", async () => {
  await using it = await scene();
  const annotations = { "sim.tiphys.dev/fail-liveness": "after=20s", "sim.tiphys.dev/fail-readiness": "before=5s" };
  const probe = { httpGet: { port: 80, path: "/healthz" }, periodSeconds: 2 };
  await it.client.create(
    pods,
    pod("web", { containers: [{ name: "app", image: "app:1", livenessProbe: probe, readinessProbe: probe }] }, { annotations }),
  );
  await until(it, "web", (object) => object.status?.phase === "Running" && !isReady(object));
  await until(it, "web", isReady);
  const restarted = await until(it, "web", (object) => object.status?.containerStatuses?.[0]?.restartCount === 1);
  assert.ok(it.told.includes("Unhealthy: Liveness probe failed: HTTP probe failed with statuscode: 500"));
  assert.ok(it.told.includes("Killing: Container app failed liveness probe, will be restarted"));
  assert.equal(restarted.status?.containerStatuses?.[0]?.lastState?.terminated?.exitCode, 0);
});

test("the termination message of a failed container is in its status", async () => {
  await using it = await scene();
  await it.client.create(
    pods,
    pod("job", {
      restartPolicy: "Never",
      containers: [{ name: "app", image: "app:1", command: ["sh", "-c", "sleep 5; exit 3"] }],
    }),
  );
  await until(it, "job", isReady);
  writeFileSync(
    it.created[0]!.mounts.find(({ containerPath }) => containerPath === "/dev/termination-log")!.hostPath,
    "out of cheese",
  );
  const failed = await until(it, "job", (object) => object.status?.phase === "Failed");
  const { exitCode, reason, message } = failed.status?.containerStatuses?.[0]?.state?.terminated ?? {};
  assert.deepEqual([exitCode, reason, message], [3, "Error", "out of cheese"]);
});

test("static pods of a URL run, outlive a kubelet that cannot reach it, and go when it no longer has them", async () => {
  const staticPodUrl = { url: "http://manifests/", headers: [], everyMs: 20_000 };
  await using it = await scene({ staticPodUrl });
  assert.deepEqual(it.kubelet.pods(), []);
  const body = "apiVersion: v1\nkind: Pod\nmetadata:\n  name: web\nspec:\n  containers:\n  - name: app\n    image: app:1\n";
  it.manifest = { status: 200, statusText: "OK", body };
  const passUntil = async (holds: () => Promise<boolean>): Promise<void> => {
    for (let i = 0; i < 300 && !(await holds()); i++) {
      await turns();
      await it.clock.advance(500);
    }
    assert.ok(await holds(), it.told.join("\n"));
  };
  const mirrors = async (): Promise<readonly Stored<Pod>[]> => (await it.client.list(pods, { namespace: "default" })).items;
  await passUntil(async () => (await mirrors()).some(isReady));
  const [mirror] = await mirrors();
  assert.ok(mirror !== undefined);
  assert.equal(mirror.metadata.annotations?.["kubernetes.io/config.source"], "http");

  await it.kubelet[Symbol.asyncDispose]();
  it.manifest = { status: 503, statusText: "Service Unavailable", body: "" };
  await it.start();
  for (let i = 0; i < 100; i++) {
    await turns();
    await it.clock.advance(500);
  }
  const running = (await it.runtime.listContainers()).filter(({ state }) => state === "running");
  assert.equal(running.length, 1, "it may be a pod of the URL");
  assert.equal((await mirrors())[0]?.metadata.uid, mirror.metadata.uid, "and its mirror stays");
  it.manifest = { status: 200, statusText: "OK", body };
  await passUntil(async () => it.kubelet.pods().length === 1);
  assert.equal(it.created.length, 1, "adopted, not started again");

  it.manifest = { status: 200, statusText: "OK", body: "kind: PodList\nitems: []\n" };
  await passUntil(async () => (await mirrors()).length === 0 && (await it.runtime.listContainers()).length === 0);
});

test("static pods run without the API and show as mirror pods", async () => {
  const manifests = mkdtempSync(join(tmpdir(), "manifests-"));
  try {
    writeFileSync(
      join(manifests, "web.yaml"),
      "apiVersion: v1\nkind: Pod\nmetadata:\n  name: web\nspec:\n  containers:\n  - name: app\n    image: app:1\n",
    );
    await using it = await scene({ staticPodDirectory: manifests });
    const found = async (): Promise<Stored<Pod> | undefined> => (await it.client.list(pods, { namespace: "default" })).items[0];
    for (let i = 0; i < 300 && !isReady((await found()) ?? pod("none")); i++) {
      await turns();
      await it.clock.advance(200);
    }
    const mirror = await found();
    assert.equal(mirror?.metadata.name, "web-n1");
    assert.ok(isReady(mirror as Pod), it.told.join("\n"));
    assert.ok(mirror?.metadata.annotations?.["kubernetes.io/config.mirror"]);
    assert.equal(mirror?.metadata.ownerReferences?.[0]?.kind, "Node");

    await it.client.delete(pods, { namespace: "default", name: "web-n1" }, { gracePeriodSeconds: 0 });
    for (let i = 0; i < 300 && ((await found())?.metadata.uid ?? mirror?.metadata.uid) === mirror?.metadata.uid; i++) {
      await turns();
      await it.clock.advance(200);
    }
    assert.notEqual((await found())?.metadata.uid, mirror?.metadata.uid, "a mirror comes back");
    assert.equal(it.created.length, 1, "its pod was not touched");

    rmSync(join(manifests, "web.yaml"));
    for (let i = 0; i < 300 && (await found()) !== undefined; i++) {
      await turns();
      await it.clock.advance(500);
    }
    assert.equal(await found(), undefined);
    assert.equal((await it.runtime.listContainers()).length, 0);
  } finally {
    rmSync(manifests, { recursive: true });
  }
});
