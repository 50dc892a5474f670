// A node that knows only a bootstrap token joins over HTTPS, and lives on its own certificate from then on.
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { kubectl, needs, run, startTiphys, type Tiphys } from "../support/tiphys.ts";

const program = ["--disable-warning=ExperimentalWarning", join(import.meta.dirname, "../../src/cli/main.ts")];

describe("joining with a bootstrap token", { skip: needs("kubectl"), concurrency: false }, () => {
  let cluster: Tiphys;
  let directory: string;
  let token: string;
  const running: ChildProcess[] = [];
  const k = async (...args: string[]): Promise<string> => {
    const result = await cluster.kubectl(...args);
    assert.equal(result.code, 0, `kubectl ${args.join(" ")}\n${result.stdout}${result.stderr}`);
    return result.stdout;
  };
  const startNode = (): { child: ChildProcess; ended: Promise<number> } => {
    const bootstrap = ["--bootstrap-kubeconfig", join(directory, "bootstrap.kubeconfig")];
    const where = ["--cert-dir", directory, "--count", "1", "--name-prefix", "joined-"];
    const child = spawn(process.execPath, [...program, "sim-nodes", ...bootstrap, ...where], {
      stdio: ["ignore", "ignore", "inherit"],
    });
    running.push(child);
    return { child, ended: new Promise((resolve) => child.on("exit", (code) => resolve(code ?? 128))) };
  };

  before(async () => {
    directory = mkdtempSync(join(tmpdir(), "join-"));
    cluster = await startTiphys(["--nodes", "0", "--sim-nodes", "1"]);
  });
  after(async () => {
    for (const child of running) child.kill("SIGKILL");
    await cluster?.[Symbol.asyncDispose]();
    rmSync(directory, { recursive: true, force: true });
  });

  test("`tiphys token create` prints a token and writes a kubeconfig with it", async () => {
    const file = join(directory, "bootstrap.kubeconfig");
    const where = ["--data-dir", cluster.info.dataDir, "--bootstrap-kubeconfig", file];
    const { code, stdout, stderr } = await run(process.execPath, [...program, "token", "create", ...where]);
    assert.equal(code, 0, stderr);
    token = stdout.trim();
    assert.match(token, /^[a-z0-9]{6}\.[a-z0-9]{16}$/);
    assert.ok(readFileSync(file, "utf8").includes(token));
    const info = await kubectl(file, ["auth", "whoami", "-o", "jsonpath={.status.userInfo.username}"]);
    assert.equal(info.stdout, `system:bootstrap:${token.slice(0, 6)}`, info.stderr);
    const may = await kubectl(file, ["auth", "can-i", "list", "nodes"]);
    assert.equal(may.stdout.trim(), "no");
  });

  test("the description of the cluster is signed with the token, for whoever knows only that", async () => {
    const key = `jsonpath={.data.jws-kubeconfig-${token.slice(0, 6)}}`;
    await k("wait", "-n", "kube-public", "configmap/cluster-info", `--for=${key}`, "--timeout=60s");
    assert.match(await k("get", "-n", "kube-public", "configmap/cluster-info", "-o", key), /^[\w-]+\.\.[\w-]+$/);
  });

  test("the node gets its certificate without a person, and is Ready", async () => {
    const { child, ended } = startNode();
    await k("wait", "--for=create", "node/joined-0", "--timeout=60s");
    await k("wait", "node/joined-0", "--for=condition=Ready", "--timeout=60s");
    assert.match(
      await k("get", "csr"),
      /^node-csr-\S+ .*kube-apiserver-client-kubelet +system:bootstrap:\w{6} +<none> +Approved,Issued/m,
    );
    const whoami = await kubectl(join(directory, "joined-0/kubelet.kubeconfig"), ["auth", "whoami", "-o", "json"]);
    const { username, groups } = JSON.parse(whoami.stdout).status.userInfo;
    assert.deepEqual([username, groups], ["system:node:joined-0", ["system:nodes", "system:authenticated"]]);
    child.kill("SIGTERM");
    assert.equal(await ended, 0);
  });

  test("without the token it comes back, and runs a pod", async () => {
    await k("delete", "secret", "-n", "kube-system", `bootstrap-token-${token.slice(0, 6)}`);
    const { child, ended } = startNode();
    const overrides = { spec: { nodeName: "joined-0" } };
    await k("run", "web", "--image=nginx", `--overrides=${JSON.stringify(overrides)}`);
    await k("wait", "pod/web", "--for=condition=Ready", "--timeout=60s");
    assert.equal((await k("get", "csr", "-o", "name")).trim().split("\n").length, 1);
    child.kill("SIGTERM");
    assert.equal(await ended, 0);
  });
});
