// What a simulated node serves: the log of what its programs say, as they say it.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Pod } from "#api";
import { seededRandom, VirtualClock } from "#base";
import type { ContainerConfig, SandboxConfig } from "#kubelet";
import { type NodeAnswer, simulatedNodeServer } from "./node-server.ts";
import { simulatedRuntime } from "./runtime.ts";

async function scene(script: string) {
  const clock = new VirtualClock();
  const runtime = simulatedRuntime({ podCidr: () => "10.0.0.0/24" }, { clock, random: seededRandom(1) });
  const pod = {
    metadata: { name: "web", namespace: "default", uid: "u" },
    spec: { containers: [{ name: "app", image: "i" }] },
  } as unknown as Pod;
  // Only what the simulation reads.
  const sandboxConfig = { podUid: "u", podName: "web", podNamespace: "default", attempt: 0, hostNetwork: false, pod };
  const sandbox = await runtime.runSandbox(sandboxConfig as unknown as SandboxConfig);
  const config = { name: "app", attempt: 0, command: ["sh", "-c", script], args: [] } as unknown as ContainerConfig;
  const id = await runtime.createContainer(sandbox, config, sandboxConfig as unknown as SandboxConfig);
  await runtime.startContainer(id);
  const server = simulatedNodeServer({
    pods: () => [pod],
    findPod: (namespace, name) => (namespace === "default" && name === "web" ? pod : undefined),
    runtime: () => runtime,
    clock,
  });
  const abort = new AbortController();
  const get = (path: string): Promise<NodeAnswer> => server.answer({ method: "GET", path, signal: abort.signal });
  return { clock, runtime, id, get, abort, log: (query = "") => get(`/containerLogs/default/web/app${query}`) };
}

async function all({ body }: NodeAnswer): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of body) chunks.push(chunk);
  return Buffer.concat(chunks).toString("utf8");
}

const three = "echo one; sleep 1; echo two; sleep 10; echo three; sleep 1000";

describe("a simulated node's server", () => {
  it("gives what the program has said until now", async () => {
    const { clock, log } = await scene(three);
    assert.equal(await all(await log()), "one\n");
    await clock.advance(1500);
    assert.equal(await all(await log()), "one\ntwo\n");
  });

  for (const [query, expected] of [
    ["?tailLines=1", "two\n"],
    ["?tailLines=0", ""],
    ["?limitBytes=5", "one\nt"],
    ["?sinceSeconds=1", "two\n"],
    ["?stream=Stderr", ""],
  ] as const)
    it(`answers ${query}`, async () => {
      const { clock, log } = await scene(three);
      await clock.advance(1500);
      assert.equal(await all(await log(query)), expected);
    });

  it("puts the time of each line before it when asked", async () => {
    const { clock, log } = await scene(three);
    const started = clock.now();
    await clock.advance(1500);
    const expected = [0, 1000].map((ms, index) => `${new Date(started + ms).toISOString()} ${["one", "two"][index]}\n`);
    assert.equal(await all(await log("?timestamps=true")), expected.join(""));
  });

  it("follows until the container ends, line by line", async () => {
    const { clock, runtime, id, log } = await scene(three);
    const { body } = await log("?follow=true");
    const lines = body[Symbol.asyncIterator]();
    assert.equal(String((await lines.next()).value), "one\n");
    const second = lines.next();
    await clock.advance(1000);
    assert.equal(String((await second).value), "two\n");
    const end = lines.next();
    runtime.kill(id, 1);
    assert.equal((await end).done, true);
  });

  it("stops following when the reader goes away", async () => {
    const { abort, log } = await scene(three);
    const lines = (await log("?follow=true")).body[Symbol.asyncIterator]();
    await lines.next();
    const end = lines.next();
    abort.abort();
    assert.equal((await end).done, true);
  });

  it("says nothing for a program that it does not know", async () => {
    const { log } = await scene("/bin/server --verbose");
    assert.equal(await all(await log()), "");
  });

  for (const [path, code, text] of [
    ["/containerLogs/default/none/app", 404, 'pod "none/default" not found'],
    ["/containerLogs/default/web/app?previous=true", 400, 'previous terminated container "app" in pod "web" not found'],
    ["/containerLogs/default/web/app?tailLines=x", 400, 'Invalid value for tailLines: "x": must be a whole number of at least 0'],
    ["/exec/default/web/app?command=ls", 501, "Cannot exec: the containers of this node are simulated"],
    ["/attach/default/web/app", 501, "Cannot attach: the containers of this node are simulated"],
    ["/portForward/default/web?port=80", 501, "Cannot forward a port: the containers of this node are simulated"],
    ["/metrics", 404, "404 page not found"],
    ["/healthz", 200, "ok"],
  ] as const)
    it(`answers ${path} with ${code}`, async () => {
      const { get } = await scene(three);
      const answer = await get(path);
      assert.deepEqual({ code: answer.code, text: await all(answer) }, { code, text });
    });
});
