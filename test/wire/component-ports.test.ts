// The ports of controllers and scheduler: health for everybody, numbers and decisions for those whom RBAC allows; `tiphys explain` reads them.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { request } from "node:https";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { systemFiles } from "#base";
import { loadKubeconfig } from "#client";
import { type ComponentUrls, componentUrlsPath } from "#cluster";
import { type CommandResult, needs, run, startTiphys, type Tiphys } from "../support/tiphys.ts";

const main = join(import.meta.dirname, "../../src/cli/main.ts");

describe("component ports", { skip: needs("kubectl"), concurrency: false }, () => {
  let cluster: Tiphys;
  let urls: ComponentUrls;
  let admin: { readonly ca: Buffer; readonly cert: Buffer; readonly key: Buffer };
  const k = async (...args: string[]): Promise<string> => {
    const result = await cluster.kubectl(...args);
    assert.equal(result.code, 0, `kubectl ${args.join(" ")}\n${result.stderr}`);
    return result.stdout;
  };
  const explain = (...args: string[]): Promise<CommandResult> =>
    run(process.execPath, [main, "explain", "schedule", "--data-dir", cluster.info.dataDir, ...args]);
  const get = (
    url: string,
    more: { cert?: Buffer; key?: Buffer; token?: string } = {},
  ): Promise<{ code: number; body: string }> =>
    new Promise((resolve, reject) => {
      const { token, ...tls } = more;
      const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
      const sent = request(url, { ca: admin.ca, ...tls, headers, agent: false }, (response) => {
        let body = "";
        response.setEncoding("utf8").on("data", (text: string) => (body += text));
        response.on("end", () => resolve({ code: response.statusCode ?? 0, body }));
      });
      sent.on("error", reject).end();
    });

  before(async () => {
    cluster = await startTiphys(["--nodes", "0", "--sim-nodes", "2"]);
    urls = JSON.parse(readFileSync(componentUrlsPath(cluster.info.dataDir), "utf8")) as ComponentUrls;
    const config = await loadKubeconfig(readFileSync(cluster.info.kubeconfig, "utf8"), { files: systemFiles });
    admin = { ca: config.ca as Buffer, cert: config.clientCertificate as Buffer, key: config.clientKey as Buffer };
    await k("cordon", "sim-1");
    await k("create", "deployment", "web", "--image=nginx");
    await k("rollout", "status", "deployment/web", "--timeout=90s");
  });
  after(() => cluster?.[Symbol.asyncDispose]());

  test("health is for everybody", async () => {
    for (const url of Object.values(urls) as string[])
      for (const path of ["/healthz", "/livez", "/readyz"]) assert.deepEqual(await get(url + path), { code: 200, body: "ok" });
  });

  test("numbers are for those whom RBAC allows", async () => {
    assert.equal((await get(`${urls.controllers}/metrics`)).code, 401);
    const token = (await k("create", "token", "default")).trim();
    const refused = await get(`${urls.controllers}/metrics`, { token });
    assert.equal(refused.code, 403);
    assert.match(refused.body, /"system:serviceaccount:default:default" cannot get path "\/metrics"/);
    const { ca: _, ...credentials } = admin;
    const controllers = await get(`${urls.controllers}/metrics`, credentials);
    assert.match(controllers.body, /^workqueue_adds_total\{name="replicaset"\} [1-9]/m);
    const scheduler = await get(`${urls.scheduler}/metrics`, credentials);
    assert.match(scheduler.body, /^scheduler_schedule_attempts_total\{result="scheduled"\} 1$/m);
    assert.match(scheduler.body, /^scheduler_pending_pods\{queue="active"\} 0$/m);
    assert.equal((await get(`${urls.scheduler}/nothing`, credentials)).code, 404);
  });

  test("explain shows where a pod went and why not elsewhere", async () => {
    const pod = await k("get", "pods", "-l", "app=web", "-o", "jsonpath={.items[0].metadata.name}");
    const { code, stdout, stderr } = await explain(pod);
    assert.equal(code, 0, stderr);
    assert.match(stdout, new RegExp(`^default/${pod}: goes to sim-0 \\(attempt 1 by default-scheduler at 20`));
    assert.match(stdout, /2 of 2 nodes were looked at/);
    assert.match(stdout, /^ {2}sim-0 {2}\* fits; no scores were needed$/m);
    assert.match(stdout, /^ {2}sim-1 {4}refused by NodeUnschedulable: node\(s\) were unschedulable$/m);
  });

  test("explain shows the scores where several nodes fit", async () => {
    await k("uncordon", "sim-1");
    await k("run", "alone", "--image=nginx");
    await k("wait", "--for=condition=Ready", "pod/alone", "--timeout=90s");
    const { node, nodes } = JSON.parse((await explain("alone", "-o", "json")).stdout) as {
      node: string;
      nodes: { node: string; total: number; scores: Record<string, { score: number; weight: number }> }[];
    };
    assert.equal(nodes.length, 2);
    const best = Math.max(...nodes.map(({ total }) => total));
    assert.equal(nodes.find((one) => one.node === node)?.total, best);
    for (const { scores, total } of nodes)
      assert.equal(
        total,
        Object.values(scores).reduce((sum, { score, weight }) => sum + score * weight, 0),
      );
  });

  test("a pod that nobody has seen is an error", async () => {
    const { code, stderr } = await explain("nobody", "-n", "default");
    assert.equal(code, 1);
    assert.match(stderr, /Cannot explain pod "default\/nobody": the scheduler has not looked at such a pod/);
  });
});

test("a scheduler's configuration that is wrong is refused with its mistakes", async () => {
  const { code, stderr } = await run(process.execPath, [
    main,
    "kube-scheduler",
    "--config",
    join(import.meta.dirname, "../../package.json"),
  ]);
  assert.equal(code, 1);
  assert.match(stderr, /Cannot read the scheduler's configuration ".*package.json": .*apiVersion: "undefined" is not/s);
});
