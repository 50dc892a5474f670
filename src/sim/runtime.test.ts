// The simulated runtime as a kubelet sees it.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Pod } from "#api";
import { seededRandom, VirtualClock } from "#base";
import type { ContainerConfig, SandboxConfig } from "#kubelet";
import { AddressPool } from "./addresses.ts";
import { simulatedRuntime } from "./runtime.ts";

function scene() {
  const clock = new VirtualClock();
  return { clock, runtime: simulatedRuntime({ podCidr: () => "10.0.0.0/24" }, { clock, random: seededRandom(1) }) };
}

// Only what the simulation reads.
const sandboxOf = (uid: string, annotations: Record<string, string> = {}): SandboxConfig =>
  ({
    podUid: uid,
    podName: uid,
    podNamespace: "default",
    attempt: 0,
    hostNetwork: false,
    labels: {},
    annotations: {},
    pod: { metadata: { annotations }, spec: { containers: [{ name: "app" }] } } as Pod,
  }) as unknown as SandboxConfig;
const containerOf = (command: readonly string[]): ContainerConfig =>
  ({
    name: "app",
    attempt: 0,
    command,
    args: [],
    image: "x",
    imageId: "x",
    labels: {},
    annotations: {},
    logPath: "",
  }) as unknown as ContainerConfig;

async function running(
  it: ReturnType<typeof scene>,
  command: readonly string[],
  annotations: Record<string, string> = {},
): Promise<string> {
  const sandbox = sandboxOf("p1", annotations);
  const id = await it.runtime.createContainer(await it.runtime.runSandbox(sandbox), containerOf(command), sandbox);
  await it.runtime.startContainer(id);
  return id;
}

test("a container ends when its command does, and an event tells", async () => {
  const it = scene();
  const stop = new AbortController();
  const events: string[] = [];
  const listening = (async () => {
    for await (const event of it.runtime.events(stop.signal)) events.push(`${event.podUid} ${event.kind}`);
  })();
  const id = await running(it, ["sh", "-c", "sleep 5; exit 3"]);
  await it.clock.advance(4_999);
  assert.equal((await it.runtime.containerStatus(id))?.state, "running");
  await it.clock.advance(1);
  const ended = await it.runtime.containerStatus(id);
  assert.deepEqual(
    [ended?.state, ended?.exitCode, ended?.reason, (ended?.finishedAtMs ?? 0) - (ended?.startedAtMs ?? 0)],
    ["exited", 3, "Error", 5000],
  );
  stop.abort();
  await listening;
  assert.deepEqual(events, ["p1 started", "p1 stopped"]);
});

test("a container that takes longer than its grace period is killed with 137", async () => {
  const it = scene();
  const id = await running(it, ["serve"], { "sim.tiphys.dev/stop-duration": "60s" });
  const stopping = it.runtime.stopContainer(id, 5);
  await it.clock.advance(5_000);
  await stopping;
  assert.equal((await it.runtime.containerStatus(id))?.exitCode, 137);
});

test("addresses are unique, and come back when their sandbox is gone", async () => {
  const pool = new AddressPool("10.0.0.0/29");
  const taken = Array.from({ length: 5 }, () => pool.take());
  assert.deepEqual(taken, ["10.0.0.2", "10.0.0.3", "10.0.0.4", "10.0.0.5", "10.0.0.6"]);
  assert.throws(() => pool.take(), /no IP addresses available/);
  pool.giveBack("10.0.0.4");
  assert.equal(pool.take(), "10.0.0.4");
});

test("stopping the sandbox ends what runs in it", async () => {
  const it = scene();
  const id = await running(it, []);
  const sandbox = (await it.runtime.listSandboxes())[0];
  await it.runtime.stopSandbox(sandbox?.id ?? "");
  assert.equal((await it.runtime.containerStatus(id))?.state, "exited");
  assert.equal((await it.runtime.sandboxStatus(sandbox?.id ?? ""))?.ready, false);
});

test("what cannot be done is refused, not faked", async () => {
  const { runtime } = scene();
  await assert.rejects(runtime.exec("x", [], { stdin: false, stdout: true, stderr: true, tty: false }), /simulated/);
  await assert.rejects(runtime.pullImage("sim.tiphys.dev/pull-error/app:1"), /NotFound/);
});
