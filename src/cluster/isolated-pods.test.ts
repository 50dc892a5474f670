// Between sandbox and containers.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Pod } from "#api";
import type { Runtime, SandboxConfig } from "#kubelet";
import { isolatedFirst } from "./isolated-pods.ts";

const pod: Pod = { metadata: { name: "p", namespace: "a" }, spec: { containers: [{ name: "a" }] } };
const config = (more: Partial<SandboxConfig> = {}): SandboxConfig => ({ pod, hostNetwork: false, ...more }) as SandboxConfig;

/** Remembers what is asked of it, and of the policies, in order. */
function world(podStarts: (pod: Pod, address: string) => Promise<void>, isSelected = true) {
  const asked: string[] = [];
  const runtime = {
    runSandbox: async () => {
      asked.push("run");
      return "s1";
    },
    sandboxStatus: async () => {
      asked.push("status");
      return { ips: ["10.244.0.2"] };
    },
    stopSandbox: async (id: string) => void asked.push(`stop ${id}`),
    pullImage: async () => "image",
  } as unknown as Runtime;
  const policies = {
    isolates: () => isSelected,
    podStarts: (one: Pod, address: string) => {
      asked.push(`isolate ${one.metadata.name} ${address}`);
      return podStarts(one, address);
    },
  };
  return { asked, runtime: isolatedFirst(runtime, policies) };
}

test("a sandbox is given when its pod is isolated, and not before", async () => {
  const isolated = Promise.withResolvers<void>();
  const { asked, runtime } = world(() => isolated.promise);
  let given = false;
  const running = runtime.runSandbox(config()).then((id) => {
    given = true;
    return id;
  });
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual([asked, given], [["run", "status", "isolate p 10.244.0.2"], false]);
  isolated.resolve();
  assert.equal(await running, "s1");
});

test("a sandbox whose pod cannot be isolated is stopped", async () => {
  const { asked, runtime } = world(() => Promise.reject(new Error("the kernel is slow")));
  await assert.rejects(runtime.runSandbox(config()), /the kernel is slow/);
  assert.equal(asked.at(-1), "stop s1");
});

test("where no policy selects the pod the runtime is asked nothing more", async () => {
  const { asked, runtime } = world(() => assert.fail("not to be asked"), false);
  assert.equal(await runtime.runSandbox(config()), "s1");
  assert.deepEqual(asked, ["run"]);
});

test("a pod of the host network is nobody's to isolate; everything else is the runtime's own", async () => {
  const { asked, runtime } = world(() => assert.fail("not to be asked"));
  await runtime.runSandbox(config({ hostNetwork: true }));
  assert.deepEqual(asked, ["run"]);
  assert.equal(await runtime.pullImage("x"), "image");
});
