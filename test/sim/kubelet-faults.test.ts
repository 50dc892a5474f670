// A kubelet over a runtime that fails now and then: pods still come up, and in the end nothing is left behind.
import assert from "node:assert/strict";
import { test } from "node:test";
import { isNotFound, type Pod, pods, type Stored, serviceAccounts } from "#api";
import { startApiServer } from "#apiserver";
import { type Random, randomInt, seededRandom, silentLog, systemFiles, VirtualClock } from "#base";
import { createClient, inProcessTransport } from "#client";
import { startKubelet } from "#kubelet";
import { type SimulatedRuntime, simulatedProbes, simulatedRuntime } from "#sim";
import { openMemoryStore } from "#store";

const mayFail = new Set([
  "runSandbox",
  "stopSandbox",
  "removeSandbox",
  "sandboxStatus",
  "createContainer",
  "startContainer",
  "stopContainer",
  "removeContainer",
  "listContainers",
  "listSandboxes",
]);

/** Every tenth call fails: half of these before anything was done, half after. */
function flaky(runtime: SimulatedRuntime, random: Random, isOn: () => boolean): SimulatedRuntime {
  return new Proxy(runtime, {
    get: (target, name) => {
      const value = Reflect.get(target, name) as unknown;
      if (typeof value !== "function") return value;
      const call = value.bind(target) as (...args: unknown[]) => Promise<unknown>;
      if (!mayFail.has(String(name))) return call;
      return async (...args: unknown[]) => {
        const draw = isOn() ? random.float() : 1;
        if (draw < 0.05) throw new Error(`the runtime refuses ${String(name)}`);
        const result = await call(...args);
        if (draw < 0.1) throw new Error(`the answer to ${String(name)} was lost`);
        return result;
      };
    },
  });
}

async function run(seed: number): Promise<string> {
  const clock = new VirtualClock();
  const random = seededRandom(seed);
  let trouble = true;
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
  const start = () =>
    startKubelet(
      { nodeName: "n1", nodeIps: ["10.0.0.1"], relistMs: 30_000 },
      {
        client,
        runtime: flaky(simulated, random, () => trouble),
        clock,
        random,
        log: silentLog,
        probes: simulatedProbes(clock),
        capacity: { cpu: "64", memoryBytes: 2 ** 36, ephemeralBytes: 2 ** 36 },
        nodeInfo: { kernelVersion: "6", osImage: "test", architecture: "amd64", bootId: "b", machineId: "m", systemUuid: "s" },
      },
    );
  // Adopting reads the runtime once; a kubelet that cannot do that ends with an error and is started again.
  trouble = false;
  let kubelet = await start();
  trouble = true;
  const restarts = new Map<string, number>();
  const phases = new Map<string, string>();
  const watch = async (): Promise<readonly Stored<Pod>[]> => {
    const { items } = await client.list(pods, { namespace: "default" });
    for (const pod of items) {
      const uid = pod.metadata.uid;
      const [before, phase] = [phases.get(uid), pod.status?.phase ?? ""];
      if (before === "Succeeded" || before === "Failed") assert.equal(phase, before, "a terminal phase is final");
      if (before === "Running") assert.notEqual(phase, "Pending");
      phases.set(uid, phase);
      for (const { name, restartCount } of pod.status?.containerStatuses ?? []) {
        assert.ok(restartCount >= (restarts.get(uid + name) ?? 0), "restart counts do not go back");
        restarts.set(uid + name, restartCount);
      }
    }
    return items;
  };

  const commands = [[], ["sleep", "5"], ["sh", "-c", "sleep 3; exit 1"], ["false"]];
  for (let i = 0; i < 12; i++) {
    const policy = ["Always", "OnFailure", "Never"][randomInt(random, 3)];
    const command = commands[randomInt(random, commands.length)];
    await client.create(pods, {
      apiVersion: "v1",
      kind: "Pod",
      metadata: { name: `p${i}`, namespace: "default" },
      spec: {
        nodeName: "n1",
        restartPolicy: policy,
        automountServiceAccountToken: false,
        terminationGracePeriodSeconds: 3 + randomInt(random, 10),
        initContainers:
          randomInt(random, 2) === 0
            ? []
            : [
                { name: "i", image: "i:1" },
                { name: "s", image: "s:1", restartPolicy: "Always" },
              ],
        containers: [
          {
            name: "a",
            image: "a:1",
            command,
            lifecycle: randomInt(random, 2) === 0 ? {} : { preStop: { sleep: { seconds: 2 } } },
          },
          { name: "b", image: "b:1" },
        ],
      },
    });
    await clock.advance(randomInt(random, 3_000));
    await watch();
    if (randomInt(random, 3) === 0) {
      const running = (await simulated.listContainers()).filter(({ state }) => state === "running");
      const victim = running[randomInt(random, Math.max(1, running.length))];
      if (victim !== undefined) simulated.kill(victim.id, 137, "OOMKilled");
    }
    if (randomInt(random, 4) === 0)
      await client
        .delete(pods, { namespace: "default", name: `p${randomInt(random, i + 1)}` })
        .catch((error: unknown) => assert.ok(isNotFound(error)));
    if (i === 6) {
      await kubelet[Symbol.asyncDispose]();
      trouble = false;
      kubelet = await start();
      trouble = true;
    }
  }
  for (let i = 0; i < 60; i++) {
    await clock.advance(1000);
    await watch();
  }
  trouble = false;
  await clock.advance(400_000);
  for (const pod of await watch()) {
    const isUp = pod.status?.conditions?.some(({ type, status }) => type === "Ready" && status === "True");
    const crashes = pod.status?.containerStatuses?.some(({ restartCount }) => restartCount > 0);
    const isDone = pod.status?.phase === "Succeeded" || pod.status?.phase === "Failed";
    assert.ok(
      isUp || crashes || isDone || pod.spec.restartPolicy !== "Always",
      `${pod.metadata.name} is stuck: ${JSON.stringify(pod.status)}`,
    );
  }
  const trace = JSON.stringify([...restarts.values()]) + JSON.stringify([...phases.values()]);
  await client.deleteCollection(pods, { namespace: "default" });
  await clock.advance(60_000);
  assert.deepEqual(
    (await watch()).map(({ metadata }) => metadata.name),
    [],
  );
  assert.deepEqual([await simulated.listContainers(), await simulated.listSandboxes()], [[], []]);
  await kubelet[Symbol.asyncDispose]();
  await server[Symbol.asyncDispose]();
  return trace;
}

for (const seed of [1, 2, 3, 4, 5, 6]) {
  test(`pods keep their rules over a runtime that fails now and then, and leave nothing behind (seed ${seed})`, async () => {
    await run(seed);
  });
}

test("the same seed gives the same run", async () => {
  assert.equal(await run(3), await run(3));
});
