// The service proxy as a program of its own: its rules stay while it is replaced, and go with --cleanup.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { join } from "node:path";
import { test } from "node:test";
import { needsRoot, run, startTiphys } from "../support/tiphys.ts";

const main = join(import.meta.dirname, "../../src/cli/main.ts");
const flags = ["--disable-warning=ExperimentalWarning", main, "kube-proxy"];
const rules = async (): Promise<string> => (await run("nft", ["list", "table", "ip", "kube-proxy"])).stdout;

test("kube-proxy builds services into the kernel, leaves them when it stops, and removes them on --cleanup", {
  skip: needsRoot("kubectl", "nft", "ip", "conntrack"),
}, async () => {
  await using cluster = await startTiphys(["--nodes", "0", "--sim-nodes", "1"]);
  const ports = ["--healthz-bind-address=", "--metrics-bind-address="];
  const proxy = spawn(process.execPath, [...flags, "--kubeconfig", cluster.info.kubeconfig, ...ports], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  const exited = new Promise<number | null>((resolve) => proxy.once("exit", resolve));
  let said = "";
  const synced = new Promise<void>((resolve, reject) => {
    proxy.stderr.setEncoding("utf8").on("data", (text: string) => {
      said += text;
      if (/ started$/m.test(said)) resolve();
    });
    void exited.then(() => reject(new Error(said)));
  });
  await synced;
  assert.match(await rules(), /10\.96\.0\.1\b/);
  proxy.kill("SIGTERM");
  assert.equal(await exited, 0, said);
  assert.match(await rules(), /10\.96\.0\.1\b/, "services go on answering");
  assert.equal((await run(process.execPath, [...flags, "--cleanup"])).code, 0);
  assert.equal(await rules(), "");
});
