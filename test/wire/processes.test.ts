// One component a process, over HTTPS, with upstream's flag names: the same Deployment becomes Ready.
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { Resolver } from "node:dns/promises";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { ensurePki } from "#apiserver";
import { silentLog, systemClock, systemFiles, systemRandom } from "#base";
import { writeKubeconfig } from "#client";
import { type Component, startOurs } from "../support/component.ts";
import { kubectl, needs, run } from "../support/tiphys.ts";

const skip = needs("kubectl");
const main = join(import.meta.dirname, "../../src/cli/main.ts");
const simNodes = Number(process.env.TIPHYS_SIM_NODES ?? 20);
const replicas = Number(process.env.TIPHYS_SIM_REPLICAS ?? 100);

describe("components as processes", { skip, concurrency: false }, () => {
  let directory: string;
  let admin: string;
  const running: Component[] = [];

  before(async () => {
    directory = mkdtempSync(join(tmpdir(), "processes-"));
    const pki = await ensurePki(`${directory}/pki`, {
      files: systemFiles,
      clock: systemClock,
      random: systemRandom,
      log: silentLog,
      serverNames: ["127.0.0.1"],
    });
    const server = startOurs(
      "kube-apiserver",
      "--bind-address=127.0.0.1",
      "--secure-port=0",
      "--store-directory",
      `${directory}/store`,
      "--service-cluster-ip-range=10.96.0.0/16",
      "--tls-cert-file",
      `${directory}/pki/apiserver.crt`,
      "--tls-private-key-file",
      `${directory}/pki/apiserver.key`,
      "--client-ca-file",
      `${directory}/pki/ca.crt`,
      "--service-account-key-file",
      `${directory}/pki/sa.pub`,
      "--service-account-signing-key-file",
      `${directory}/pki/sa.key`,
      "--port-file",
      `${directory}/port`,
    );
    running.push(server);
    await server.started();
    const url = `https://127.0.0.1:${readFileSync(`${directory}/port`, "utf8").trim()}`;
    const kubeconfig = async (name: "admin" | "controllerManager" | "scheduler"): Promise<string> => {
      const path = `${directory}/${name}.kubeconfig`;
      await writeKubeconfig(systemFiles, path, { server: url, caCertificate: pki.ca.certificate, credentials: pki[name] });
      return path;
    };
    admin = await kubeconfig("admin");
    for (const args of [
      [
        "kube-controller-manager",
        "--kubeconfig",
        await kubeconfig("controllerManager"),
        "--root-ca-file",
        `${directory}/pki/ca.crt`,
        "--secure-port=0",
      ],
      ["kube-scheduler", "--kubeconfig", await kubeconfig("scheduler"), "--secure-port=0"],
      ["sim-nodes", "--kubeconfig", admin, "--count", String(simNodes)],
    ]) {
      const component = startOurs(...args);
      running.push(component);
      await component.started();
    }
  });
  after(async () => {
    for (const component of running.reverse()) await component.stop();
    rmSync(directory, { recursive: true, force: true });
  });

  test(`a Deployment of ${replicas} replicas is Ready on ${simNodes} simulated nodes`, async () => {
    const path = `${directory}/web.yaml`;
    writeFileSync(
      path,
      `apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec:\n  replicas: ${replicas}\n  selector: {matchLabels: {app: web}}\n  template:\n    metadata: {labels: {app: web}}\n    spec: {containers: [{name: a, image: nginx}]}\n`,
    );
    assert.equal((await kubectl(admin, ["apply", "-f", path])).code, 0);
    const done = await kubectl(admin, ["rollout", "status", "deployment/web", "--timeout=120s"], { timeoutMs: 130_000 });
    assert.equal(done.code, 0, `${done.stderr}\n${running.map((part) => part.output().slice(-2000)).join("\n---\n")}`);
  });

  test("each component holds its lease and leaves it when it stops", async () => {
    const holders = await kubectl(admin, [
      "-n",
      "kube-system",
      "get",
      "lease",
      "kube-controller-manager",
      "kube-scheduler",
      "-o",
      "jsonpath={.items[*].spec.holderIdentity}",
    ]);
    assert.equal(holders.stdout.trim().split(" ").length, 2, holders.stderr);
  });

  const connections = (...pids: readonly (number | undefined)[]): ReturnType<typeof run> =>
    run(process.execPath, [main, "debug", "connections", "-o", "json", ...pids.flatMap((pid) => ["--pid", String(pid)])]);

  test("they talk to the API server and to nobody else", { skip: needs("ss") }, async () => {
    const { code, stdout, stderr } = await connections(...running.map(({ child }) => child.pid));
    assert.equal(code, 0, `${stdout}${stderr}`);
    const edges = JSON.parse(stdout) as { from: string; to: string; kind: string }[];
    const between = edges.filter(({ kind }) => kind !== "outside").map(({ from, to }) => `${from} > ${to}`);
    assert.deepEqual(between, [
      "kube-controller-manager > kube-apiserver",
      "kube-scheduler > kube-apiserver",
      "sim-nodes > kube-apiserver",
    ]);
    // and its store, which is inside it, to nobody at all
    assert.deepEqual(
      edges.filter(({ from }) => from === "kube-apiserver"),
      [],
    );
  });

  test("one that talks to another is found", { skip: needs("ss") }, async () => {
    // stands for components: what counts is how a process is called
    const script = `${directory}/tiphys.mjs`;
    writeFileSync(
      script,
      `import { connect, createServer } from "node:net";
       const [name, port] = process.argv.slice(2);
       if (port === undefined) { const server = createServer(() => {}).listen(0, "127.0.0.1", () => console.log(server.address().port)); }
       else connect(Number(port), "127.0.0.1", () => console.log("connected"));`,
    );
    const stand = async (...args: string[]): Promise<{ child: ChildProcess; said: string }> => {
      const child = spawn(process.execPath, [script, ...args], { stdio: ["ignore", "pipe", "inherit"] });
      const said = await new Promise<string>((resolve, reject) => {
        child.stdout?.once("data", (data) => resolve(String(data).trim()));
        child.once("exit", () => reject(new Error(`${args.join(" ")} ended`)));
      });
      return { child, said };
    };
    const scheduler = await stand("kube-scheduler");
    const proxy = await stand("kube-proxy", scheduler.said);
    try {
      const { code, stdout } = await connections(scheduler.child.pid, proxy.child.pid);
      assert.equal(code, 1);
      assert.deepEqual(JSON.parse(stdout), [{ from: "kube-proxy", to: "kube-scheduler", connections: 1, kind: "extra" }]);
    } finally {
      for (const { child } of [proxy, scheduler]) child.kill("SIGKILL");
    }
  });

  test("the DNS server knows the cluster's services", async () => {
    const dns = startOurs("dns", "--kubeconfig", admin, "--port=0");
    running.push(dns);
    await dns.started();
    const port = /answers .*port=(\d+)/.exec(dns.output())?.[1];
    const resolver = new Resolver();
    resolver.setServers([`127.0.0.1:${port}`]);
    assert.deepEqual(await resolver.resolve4("kubernetes.default.svc.cluster.local"), ["10.96.0.1"]);
    await assert.rejects(resolver.resolve4("nothing.default.svc.cluster.local"), { code: "ENOTFOUND" });
  });

  test("every process ends with 0 on SIGTERM", async () => {
    for (const component of running.toReversed()) assert.equal(await component.stop(), 0, component.output());
  });
});
