// What a pod's plan decides, case by case.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { PodStatus } from "#api";
import { aPod, PodModel } from "../testing/model.ts";

const condition = (status: PodStatus | undefined, type: string) => status?.conditions?.find((item) => item.type === type);
const app = { name: "app", image: "app:1" };

test("a new pod mounts its volumes, makes its sandbox, starts its containers in order, and is Ready", () => {
  const model = new PodModel(aPod({ containers: [app, { name: "second", image: "b:1" }] }));
  model.settle();
  assert.deepEqual(model.kinds(), ["mountVolumes", "createSandbox", "startContainer app", "startContainer second"]);
  assert.equal(model.published?.phase, "Running");
  assert.equal(condition(model.published, "Ready")?.status, "True");
  assert.equal(model.published?.podIP, "10.244.0.2");
});

test("a pod whose sandbox is being made is Pending with ContainerCreating", () => {
  const model = new PodModel(aPod());
  model.plan();
  const status = model.published;
  assert.equal(status?.phase, "Pending");
  assert.deepEqual(status?.containerStatuses?.[0]?.state, { waiting: { reason: "ContainerCreating" } });
  assert.equal(condition(status, "PodReadyToStartContainers")?.status, "False");
  assert.deepEqual(
    [condition(status, "Ready")?.reason, condition(status, "Ready")?.message],
    ["ContainersNotReady", "containers with unready status: [app]"],
  );
});

test("init containers run one after the other before the main ones", () => {
  const model = new PodModel(
    aPod({
      initContainers: [
        { name: "one", image: "i:1" },
        { name: "two", image: "i:1" },
      ],
    }),
  );
  model.settle();
  assert.deepEqual(model.kinds().slice(2), ["startContainer one"]);
  assert.equal(condition(model.published, "Initialized")?.message, "containers with incomplete status: [one two]");
  assert.deepEqual(model.published?.containerStatuses?.[0]?.state, { waiting: { reason: "PodInitializing" } });
  model.exit("one", 0);
  model.settle();
  assert.deepEqual(model.kinds().slice(3), ["startContainer two"]);
  model.exit("two", 0);
  model.settle();
  assert.deepEqual(model.kinds().slice(4), ["startContainer app"]);
  assert.equal(condition(model.published, "Initialized")?.status, "True");
});

test("a failed init container ends a pod that never restarts", () => {
  const model = new PodModel(aPod({ restartPolicy: "Never", initContainers: [{ name: "one", image: "i:1" }] }));
  model.settle();
  model.exit("one", 1);
  model.settle();
  assert.equal(model.published?.phase, "Failed");
  assert.ok(!model.kinds().includes("startContainer app"));
});

test("a sidecar starts before the main container, gates it by its startup probe, and restarts beside it", () => {
  const sidecar = { name: "proxy", image: "p:1", restartPolicy: "Always", startupProbe: { tcpSocket: { port: 80 } } };
  const model = new PodModel(aPod({ restartPolicy: "Never", initContainers: [sidecar] }));
  model.settle();
  assert.deepEqual(model.kinds().slice(2), ["startContainer proxy"]);
  model.probes.set(model.current("proxy")!.id, { startup: "success" });
  model.settle();
  assert.deepEqual(model.kinds().slice(3), ["startContainer app"]);
  model.exit("proxy", 1);
  model.settle();
  assert.deepEqual(model.kinds().slice(4), ["startContainer proxy"]);
  assert.equal(model.published?.phase, "Running");
});

test("sidecars are stopped when the main containers of a job have ended, and the pod succeeds", () => {
  const model = new PodModel(
    aPod({ restartPolicy: "Never", initContainers: [{ name: "proxy", image: "p:1", restartPolicy: "Always" }] }),
  );
  model.settle();
  model.exit("app", 0);
  model.plan();
  assert.equal(model.published?.phase, "Running", "not Succeeded while the sidecar runs");
  model.settle();
  assert.equal(model.published?.phase, "Succeeded");
  assert.deepEqual(model.kinds().slice(-3), ["stopContainer proxy", "stopSandbox", "unmountVolumes"]);
});

test("sidecars stop after the main containers, in reverse order", () => {
  const sidecar = (name: string) => ({ name, image: "p:1", restartPolicy: "Always" });
  const model = new PodModel(aPod({ initContainers: [sidecar("first"), sidecar("second")] }));
  model.settle();
  model.delete(30);
  model.settle();
  const stops = model.kinds().filter((kind) => kind.startsWith("stopContainer"));
  assert.deepEqual(stops, ["stopContainer app", "stopContainer second", "stopContainer first"]);
});

test("a crashed container restarts at once, then after 10 s, then after 20 s", () => {
  const model = new PodModel(aPod());
  model.settle();
  model.exit("app", 1);
  model.settle();
  assert.equal(model.current("app")?.attempt, 1);
  for (const [delay, text] of [
    [10_000, "10s"],
    [20_000, "20s"],
    [40_000, "40s"],
  ] as const) {
    const attempt = model.current("app")!.attempt;
    model.now += 1000;
    model.exit("app", 1);
    const plan = model.plan();
    assert.equal(plan.wakeAtMs, model.now + delay);
    const status = model.published?.containerStatuses?.[0];
    assert.deepEqual(status?.state?.waiting, {
      reason: "CrashLoopBackOff",
      message: `back-off ${text} restarting failed container=app pod=web_default(${model.pod.metadata.uid})`,
    });
    assert.equal(status?.lastState?.terminated?.exitCode, 1);
    assert.equal(model.published?.phase, "Running");
    model.now += delay - 1;
    model.settle();
    assert.equal(model.current("app")?.attempt, attempt);
    model.now += 1;
    model.settle();
    assert.equal(model.current("app")?.attempt, attempt + 1);
    assert.equal(model.published?.containerStatuses?.[0]?.restartCount, attempt + 1);
  }
});

test("the back-off begins anew after ten quiet minutes", () => {
  const model = new PodModel(aPod());
  model.settle();
  for (const waitMs of [0, 10_000]) {
    model.exit("app", 1);
    model.now += waitMs;
    model.settle();
  }
  model.now += 601_000;
  model.exit("app", 1);
  model.settle();
  assert.equal(model.current("app")?.state, "running");
});

test("restartPolicy decides: OnFailure restarts a failure, not a success", () => {
  const model = new PodModel(aPod({ restartPolicy: "OnFailure" }));
  model.settle();
  model.exit("app", 1);
  model.settle();
  assert.equal(model.current("app")?.attempt, 1);
  model.exit("app", 0);
  model.settle();
  assert.equal(model.published?.phase, "Succeeded");
  assert.equal(condition(model.published, "Ready")?.reason, "PodCompleted");
});

test("restartPolicy Never: any exit is final, a failure makes the pod Failed", () => {
  const model = new PodModel(aPod({ restartPolicy: "Never", containers: [app, { name: "second", image: "b:1" }] }));
  model.settle();
  model.exit("app", 0);
  model.settle();
  assert.equal(model.published?.phase, "Running");
  model.exit("second", 3);
  model.settle();
  assert.equal(model.published?.phase, "Failed");
  assert.equal(condition(model.published, "ContainersReady")?.reason, "PodFailed");
});

test("the sandbox of a finished pod stops, or runs on until the pod is deleted where that is wanted", () => {
  const finished = (keepTerminalSandbox: boolean): PodModel => {
    const model = new PodModel(aPod({ restartPolicy: "Never" }));
    model.keepTerminalSandbox = keepTerminalSandbox;
    model.settle();
    model.exit("app", 0);
    model.settle();
    assert.equal(model.published?.phase, "Succeeded");
    return model;
  };
  assert.ok(finished(false).kinds().includes("stopSandbox"));
  const kept = finished(true);
  assert.ok(!kept.kinds().includes("stopSandbox"));
  kept.delete(0);
  kept.settle();
  assert.ok(kept.kinds().includes("stopSandbox"));
  assert.equal(kept.forgotten, true);
});

test("a container's own restart rules overrule the pod's policy", () => {
  const rules = [{ action: "Restart", exitCodes: { operator: "In", values: [42] } }];
  const model = new PodModel(
    aPod({ restartPolicy: "Never", containers: [{ ...app, restartPolicy: "Never", restartPolicyRules: rules }] }),
  );
  model.settle();
  model.exit("app", 42);
  model.settle();
  assert.equal(model.current("app")?.attempt, 1);
  model.exit("app", 1);
  model.settle();
  assert.equal(model.published?.phase, "Failed");
});

test("a deleted pod stops its containers, then its sandbox, removes both, and only then the object", () => {
  const model = new PodModel(aPod());
  model.settle();
  model.delete(7);
  model.settle();
  assert.deepEqual(model.kinds().slice(3), [
    "stopContainer app",
    "stopSandbox",
    "unmountVolumes",
    "removeContainer",
    "removeSandbox",
    "deleteObject",
    "forget",
  ]);
  const stop = model.history.find((action) => action.kind === "stopContainer");
  assert.equal(stop?.kind === "stopContainer" && stop.graceSeconds, 7);
  assert.ok(model.forgotten);
});

test("a preStop hook runs before the stop, and both share the grace period", () => {
  const model = new PodModel(aPod({ containers: [{ ...app, lifecycle: { preStop: { sleep: { seconds: 10 } } } }] }));
  model.settle();
  model.delete(30);
  const [hook] = model.plan().actions;
  assert.deepEqual(hook?.kind === "preStop" && hook.timeoutMs, 30_000);
  model.now += 10_000;
  model.complete(hook!);
  const [stop] = model.plan().actions;
  assert.deepEqual(stop?.kind === "stopContainer" && stop.graceSeconds, 20);
});

test("a hook that takes the whole grace period leaves two seconds for the stop", () => {
  const model = new PodModel(aPod({ containers: [{ ...app, lifecycle: { preStop: { sleep: { seconds: 100 } } } }] }));
  model.settle();
  model.delete(5);
  model.plan();
  model.now += 5000;
  const stop = model.plan().actions.find((action) => action.kind === "stopContainer");
  assert.equal(stop?.graceSeconds, 2);
});

test("a shorter grace period replaces the stop that is under way", () => {
  const model = new PodModel(aPod());
  model.settle();
  model.delete(60);
  model.plan();
  model.delete(3);
  const plan = model.plan();
  assert.deepEqual(plan.cancel, [`end:${model.current("app")?.id}`]);
  assert.equal(plan.actions[0]?.kind === "stopContainer" && plan.actions[0].graceSeconds, 3);
});

test("a pod that is deleted while it starts gives up starting", () => {
  const model = new PodModel(aPod());
  model.plan();
  model.complete([...model.busy.values()][0]!);
  model.plan();
  model.complete([...model.busy.values()][0]!);
  model.plan();
  assert.ok(model.busy.has("start"));
  model.delete(30);
  assert.deepEqual(model.plan().cancel, ["start"]);
  model.settle();
  assert.ok(model.forgotten);
});

test("a pod whose object is gone is torn down without touching the API", () => {
  const model = new PodModel(aPod());
  model.settle();
  model.removed = true;
  model.settle();
  assert.ok(!model.kinds().includes("deleteObject"));
  assert.ok(model.forgotten);
  assert.equal(model.containers.length + model.sandboxes.length, 0);
});

test("a dead sandbox is replaced: what still runs is stopped first, then all containers start again", () => {
  const model = new PodModel(aPod({ initContainers: [{ name: "one", image: "i:1" }] }));
  model.settle();
  model.exit("one", 0);
  model.settle();
  model.loseSandbox();
  model.settle();
  assert.deepEqual(model.kinds().slice(4), ["stopContainer app", "createSandbox", "startContainer one"]);
  model.exit("one", 0);
  model.settle();
  assert.equal(model.published?.containerStatuses?.[0]?.restartCount, 1);
  assert.equal(model.published?.phase, "Running");
  assert.equal(model.published?.podIP, "10.244.0.3");
});

test("a dead sandbox of a finished job is not replaced", () => {
  const model = new PodModel(aPod({ restartPolicy: "Never" }));
  model.settle();
  model.exit("app", 0);
  model.loseSandbox();
  model.settle();
  assert.equal(model.kinds().filter((kind) => kind === "createSandbox").length, 1);
  assert.equal(model.published?.phase, "Succeeded");
});

test("a failed liveness probe stops the container with the probe's own grace period", () => {
  const liveness = { tcpSocket: { port: 80 }, terminationGracePeriodSeconds: 4 };
  const model = new PodModel(aPod({ containers: [{ ...app, livenessProbe: liveness }] }));
  model.settle();
  model.probes.set(model.current("app")!.id, { liveness: "failure" });
  const [stop] = model.plan().actions;
  assert.deepEqual(stop, {
    kind: "stopContainer",
    id: model.current("app")?.id,
    name: "app",
    graceSeconds: 4,
    why: "Container app failed liveness probe, will be restarted",
  });
  model.settle();
  assert.equal(model.current("app")?.attempt, 1);
});

test("readiness follows the probe, and the pod's gates", () => {
  const model = new PodModel(
    aPod({
      containers: [{ ...app, readinessProbe: { tcpSocket: { port: 80 } } }],
      readinessGates: [{ conditionType: "example.com/up" }],
    }),
  );
  model.settle();
  assert.equal(model.published?.containerStatuses?.[0]?.ready, false);
  model.probes.set(model.current("app")!.id, { readiness: "success" });
  model.settle();
  assert.equal(condition(model.published, "ContainersReady")?.status, "True");
  assert.equal(
    condition(model.published, "Ready")?.message,
    'corresponding condition of pod readiness gate "example.com/up" does not exist.',
  );
  model.pod = { ...model.pod, status: { conditions: [{ type: "example.com/up", status: "True" }] } };
  model.settle();
  assert.equal(condition(model.published, "Ready")?.status, "True");
  assert.ok(condition(model.published, "example.com/up"), "a condition of others stays");
});

test("a pod that outlives activeDeadlineSeconds fails, but only once its containers have stopped", () => {
  const model = new PodModel(aPod({ activeDeadlineSeconds: 5 }));
  model.settle();
  assert.equal(model.plan().wakeAtMs, model.startedAtMs + 5000);
  model.now += 5000;
  model.plan();
  assert.equal(model.published?.phase, "Running");
  model.settle();
  assert.deepEqual(
    [model.published?.phase, model.published?.reason, model.published?.message],
    ["Failed", "DeadlineExceeded", "Pod was active on the node longer than the specified deadline"],
  );
  assert.equal(model.objectGone, false);
});

test("an evicted pod has the grace of the eviction, not its own, and fails with the reason", () => {
  const model = new PodModel(aPod({ terminationGracePeriodSeconds: 30 }));
  model.settle();
  model.ended = { reason: "Evicted", message: "too much", graceSeconds: 1 };
  const stop = model.plan().actions.find((action) => action.kind === "stopContainer");
  assert.equal(stop?.kind === "stopContainer" && stop.graceSeconds, 1);
  model.settle();
  assert.deepEqual(
    [model.published?.phase, model.published?.reason, model.published?.message],
    ["Failed", "Evicted", "too much"],
  );
});

test("a container that cannot start shows why and is tried again when the time has come", () => {
  const model = new PodModel(aPod());
  model.plan();
  for (const _ of [1, 2]) {
    model.complete([...model.busy.values()][0]!);
    model.plan();
  }
  model.complete([...model.busy.values()][0]!, false);
  const plan = model.plan();
  assert.deepEqual(model.published?.containerStatuses?.[0]?.state?.waiting, { reason: "ErrImagePull", message: "no such image" });
  assert.equal(model.published?.phase, "Pending");
  assert.equal(plan.wakeAtMs, model.now + 10_000);
  model.now += 10_000;
  model.settle();
  assert.equal(model.published?.phase, "Running");
});

test("an adopted pod that runs is left alone", () => {
  const model = new PodModel(aPod());
  model.settle();
  const again = new PodModel({ ...model.pod, status: model.published });
  again.sandboxes = model.sandboxes;
  again.containers = model.containers;
  again.settle();
  assert.deepEqual(again.kinds(), ["mountVolumes"]);
  assert.deepEqual(again.published?.containerStatuses, model.published?.containerStatuses);
});

test("a container whose image was changed in place is stopped and runs the new one", () => {
  const model = new PodModel(aPod());
  model.settle();
  model.containers = model.containers.map((container) => ({
    ...container,
    annotations: { "io.kubernetes.container.hash": "old" },
  }));
  const [stop] = model.plan().actions;
  assert.equal(stop?.kind === "stopContainer" && stop.why, "Container app definition changed, will be restarted");
});

test("a container that vanished from the runtime shows what it was, and its restart counts", () => {
  const model = new PodModel(aPod());
  model.settle();
  model.containers = [];
  model.settle();
  const status = model.published?.containerStatuses?.[0];
  assert.equal(status?.restartCount, 1);
  assert.equal(model.current("app")?.attempt, 1);
});

test("an ephemeral container starts once and never again", () => {
  const model = new PodModel(aPod());
  model.settle();
  model.pod = { ...model.pod, spec: { ...model.pod.spec, ephemeralContainers: [{ name: "debug", image: "d:1" }] } };
  model.settle();
  model.exit("debug", 1);
  model.settle();
  assert.equal(model.kinds().filter((kind) => kind === "startContainer debug").length, 1);
  assert.equal(model.published?.phase, "Running");
  assert.equal(model.published?.ephemeralContainerStatuses?.[0]?.state?.terminated?.exitCode, 1);
});

test("of a container's runs only the newest two stay", () => {
  const model = new PodModel(aPod());
  model.settle();
  for (let i = 0; i < 4; i++) {
    model.exit("app", 1);
    model.now += 400_000;
    model.settle();
  }
  assert.deepEqual(
    model.containers.map(({ attempt }) => attempt),
    [3, 4],
  );
  assert.equal(model.published?.containerStatuses?.[0]?.restartCount, 4);
});

test("the restart count does not go back while the runs of a deleted pod are removed one by one", () => {
  const model = new PodModel(aPod());
  model.settle();
  model.exit("app", 1);
  model.settle();
  model.delete(1);
  for (let rounds = 0; model.containers.length > 1 && rounds < 20; rounds++) {
    model.plan();
    // The newest first: what is left is the run before.
    const removal = [...model.busy.values()].find(
      (action) => action.kind === "removeContainer" && action.id === model.current("app")?.id,
    );
    if (removal !== undefined) model.complete(removal);
    else for (const action of [...model.busy.values()]) model.complete(action);
  }
  model.plan();
  assert.deepEqual(
    model.containers.map(({ attempt }) => attempt),
    [0],
  );
  assert.equal(model.published?.containerStatuses?.[0]?.restartCount, 1);
});

test("changed resources are applied to the running container, or restart it where its policy says so", () => {
  const resources = (cpu: string) => ({ requests: { cpu }, limits: { cpu } });
  const model = new PodModel(
    aPod({
      containers: [
        { ...app, resources: resources("1"), resizePolicy: [{ resourceName: "memory", restartPolicy: "RestartContainer" }] },
      ],
    }),
  );
  model.settle();
  const change = (next: object): void => {
    model.pod = {
      ...model.pod,
      spec: { ...model.pod.spec, containers: [{ ...model.pod.spec.containers[0]!, resources: next }] },
    };
  };
  change(resources("2"));
  model.plan();
  assert.deepEqual(model.kinds().slice(-1), ["resizeContainer app"]);
  assert.equal(model.published?.containerStatuses?.[0]?.resources?.requests?.["cpu"], "1", "not before it is done");
  model.settle();
  assert.equal(model.published?.containerStatuses?.[0]?.resources?.requests?.["cpu"], "2");
  assert.equal(model.current("app")?.attempt, 0);
  change({ requests: { cpu: "2", memory: "1Gi" }, limits: { cpu: "2" } });
  model.settle();
  assert.equal(model.current("app")?.attempt, 1);
  assert.ok(
    model.history.some((action) => action.kind === "stopContainer" && action.why === "Container app resize requires restart"),
  );
});
