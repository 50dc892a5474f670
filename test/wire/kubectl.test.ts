// An unmodified kubectl against `tiphys up` with simulated nodes: one test per verb that people use.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { type CommandResult, kubectl, needs, startTiphys, type Tiphys } from "../support/tiphys.ts";

const skip = needs("kubectl");

describe("kubectl", { skip, concurrency: false }, () => {
  let cluster: Tiphys;
  let directory: string;
  const file = (name: string, text: string): string => {
    const path = join(directory, name);
    writeFileSync(path, text);
    return path;
  };
  const k = async (...args: string[]): Promise<string> => {
    const result = await cluster.kubectl(...args);
    assert.equal(result.code, 0, `kubectl ${args.join(" ")}\n${result.stdout}${result.stderr}`);
    return result.stdout;
  };
  const fails = async (...args: string[]): Promise<CommandResult> => {
    const result = await cluster.kubectl(...args);
    assert.notEqual(result.code, 0, `kubectl ${args.join(" ")} should fail\n${result.stdout}`);
    return result;
  };

  before(async () => {
    directory = mkdtempSync(join(tmpdir(), "kubectl-"));
    cluster = await startTiphys(["--nodes", "0", "--sim-nodes", "3"]);
    await k("create", "deployment", "web", "--image=nginx", "--replicas=2");
    await k("rollout", "status", "deployment/web", "--timeout=90s");
  });
  after(async () => {
    await cluster?.[Symbol.asyncDispose]();
    rmSync(directory, { recursive: true, force: true });
  });

  test("version names the server", async () => assert.match(await k("version"), /Server Version: v1\.36\.2\+tiphys\./));

  test("cluster-info says where the control plane is", async () => {
    assert.match(await k("cluster-info"), /Kubernetes control plane.* is running at/);
  });

  test("config view shows the generated kubeconfig without its secrets", async () => {
    const text = await k("config", "view");
    assert.match(text, /server: https:\/\/127\.0\.0\.1:\d+/);
    assert.doesNotMatch(text, /PRIVATE KEY/);
  });

  test("api-resources lists every kind that is served", async () => {
    const text = await k("api-resources", "-o", "wide");
    for (const line of [
      /^pods\s+po\s+v1\s+true\s+Pod /m,
      /^deployments\s+deploy\s+apps\/v1\s+true\s+Deployment/m,
      /^nodes\s+no\s+v1\s+false\s+Node/m,
    ])
      assert.match(text, line);
  });

  test("api-versions lists the 22 group-versions", async () => {
    assert.ok((await k("api-versions")).trim().split("\n").length >= 20);
  });

  test("get all kinds prints a table for each", async () => {
    const names = (await k("api-resources", "--verbs=list", "-o", "name")).trim().split("\n");
    assert.ok(names.length > 50);
    for (const name of names) await k("get", name, "-A");
  });

  test("get prints upstream's columns for pods, deployments, services and nodes", async () => {
    assert.match(await k("get", "pods"), /^NAME\s+READY\s+STATUS\s+RESTARTS\s+AGE\nweb-\S+\s+1\/1\s+Running\s+0\s+/);
    assert.match(
      await k("get", "pods", "-o", "wide"),
      /^NAME\s+READY\s+STATUS\s+RESTARTS\s+AGE\s+IP\s+NODE\s+NOMINATED NODE\s+READINESS GATES/,
    );
    assert.match(await k("get", "pods", "-A"), /^NAMESPACE\s+NAME/);
    assert.match(await k("get", "deploy"), /^NAME\s+READY\s+UP-TO-DATE\s+AVAILABLE\s+AGE\nweb\s+2\/2\s+2\s+2/);
    assert.match(
      await k("get", "svc"),
      /^NAME\s+TYPE\s+CLUSTER-IP\s+EXTERNAL-IP\s+PORT\(S\)\s+AGE\nkubernetes\s+ClusterIP\s+10\.96\.0\.1\s+<none>\s+443\/TCP/,
    );
    assert.match(await k("get", "nodes"), /^NAME\s+STATUS\s+ROLES\s+AGE\s+VERSION\n\S+\s+Ready\s+/);
  });

  test("get gives json, yaml, names and jsonpath", async () => {
    const list = JSON.parse(await k("get", "pods", "-o", "json")) as { kind: string; items: unknown[] };
    assert.deepEqual([list.kind, list.items.length], ["List", 2]);
    assert.match(await k("get", "deploy", "web", "-o", "yaml"), /^apiVersion: apps\/v1\nkind: Deployment\n/);
    assert.equal(await k("get", "deploy", "-o", "name"), "deployment.apps/web\n");
    assert.equal(await k("get", "deploy", "web", "-o", "jsonpath={.spec.replicas}"), "2");
  });

  test("get selects by label and by field", async () => {
    assert.equal((await k("get", "pods", "-l", "app=web", "-o", "name")).trim().split("\n").length, 2);
    assert.equal(await k("get", "pods", "-l", "app=none", "-o", "name"), "");
    const node = await k("get", "pods", "-o", "jsonpath={.items[0].spec.nodeName}");
    assert.match(
      await k("get", "pods", "--field-selector", `spec.nodeName=${node},status.phase=Running`, "-o", "name"),
      /^pod\/web-/,
    );
  });

  test("get -w streams changes", async () => {
    await k("create", "configmap", "watched", "--from-literal=a=1");
    const watching = spawn("kubectl", [
      "--kubeconfig",
      cluster.info.kubeconfig,
      "get",
      "configmap",
      "watched",
      "-w",
      "-o",
      'jsonpath={.data.a}{"\\n"}',
    ]);
    try {
      let seen = "";
      const shown = (text: string): Promise<void> =>
        new Promise((resolve) => {
          const look = (chunk: Buffer | string): void => {
            seen += String(chunk);
            if (seen.includes(text)) resolve();
          };
          watching.stdout.on("data", look);
          look("");
        });
      await shown("1\n");
      await k("patch", "configmap", "watched", "-p", '{"data":{"a":"2"}}');
      await shown("2\n");
    } finally {
      watching.kill();
    }
  });

  test("describe shows a pod with its events, a node with its resources", async () => {
    const name = (await k("get", "pods", "-l", "app=web", "-o", "jsonpath={.items[0].metadata.name}")).trim();
    const pod = await k("describe", "pod", name);
    assert.match(pod, /Controlled By:\s+ReplicaSet\/web-/);
    assert.match(pod, /Scheduled\s+\S+\s+default-scheduler\s+Successfully assigned default\/web-/);
    assert.match(await k("describe", "node"), /Allocated resources:/);
    assert.match(await k("describe", "deployment", "web"), /Replicas:\s+2 desired \| 2 updated \| 2 total \| 2 available/);
    assert.match(await k("describe", "svc", "kubernetes"), /Endpoints:\s+\d+/);
  });

  test("create, get, replace, delete a ConfigMap from a file", async () => {
    const text = (value: string): string =>
      `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings}\ndata: {mode: "${value}"}\n`;
    const path = file("settings.yaml", text("one"));
    assert.match(await k("create", "-f", path), /configmap\/settings created/);
    assert.match(
      (await fails("create", "-f", path)).stderr,
      /Error from server \(AlreadyExists\): .*configmaps "settings" already exists/,
    );
    file("settings.yaml", text("two"));
    assert.match(await k("replace", "-f", path), /configmap\/settings replaced/);
    assert.equal(await k("get", "cm", "settings", "-o", "jsonpath={.data.mode}"), "two");
    assert.match(await k("delete", "-f", path), /configmap "settings" deleted/);
    assert.match(
      (await fails("get", "cm", "settings")).stderr,
      /Error from server \(NotFound\): configmaps "settings" not found/,
    );
  });

  test("apply creates, leaves unchanged, configures; diff tells", async () => {
    const text = (replicas: number): string => `apiVersion: apps/v1
kind: Deployment
metadata: {name: applied}
spec:
  replicas: ${replicas}
  selector: {matchLabels: {app: applied}}
  template:
    metadata: {labels: {app: applied}}
    spec: {containers: [{name: a, image: nginx}]}
`;
    const path = file("applied.yaml", text(1));
    assert.match(await k("apply", "-f", path), /applied created/);
    assert.match(await k("apply", "-f", path), /applied unchanged/);
    file("applied.yaml", text(2));
    assert.equal((await cluster.kubectl("diff", "-f", path)).code, 1);
    assert.match(await k("apply", "-f", path), /applied configured/);
    assert.equal((await cluster.kubectl("diff", "-f", path)).code, 0);
    assert.equal(await k("get", "deploy", "applied", "-o", "jsonpath={.spec.replicas}"), "2");
    await k("delete", "-f", path);
  });

  test("apply --server-side tracks managers and reports conflicts", async () => {
    const path = file("ssa.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: shared}\ndata: {a: one}\n");
    assert.match(await k("apply", "--server-side", "--field-manager=first", "-f", path), /shared serverside-applied/);
    file("ssa.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: shared}\ndata: {a: two}\n");
    assert.match(
      (await fails("apply", "--server-side", "--field-manager=second", "-f", path)).stderr,
      /conflict with "first".*\.data\.a/s,
    );
    await k("apply", "--server-side", "--field-manager=second", "--force-conflicts", "-f", path);
    assert.equal(await k("get", "cm", "shared", "-o", "jsonpath={.data.a}"), "two");
  });

  test("patch in three types", async () => {
    await k("create", "configmap", "patched", "--from-literal=a=1");
    await k("patch", "cm", "patched", "--type=merge", "-p", '{"data":{"b":"2"}}');
    await k("patch", "cm", "patched", "--type=json", "-p", '[{"op":"replace","path":"/data/a","value":"3"}]');
    assert.equal(await k("get", "cm", "patched", "-o", "jsonpath={.data.a}{.data.b}"), "32");
    await k(
      "patch",
      "deploy",
      "web",
      "--type=strategic",
      "-p",
      '{"spec":{"template":{"spec":{"containers":[{"name":"nginx","env":[{"name":"A","value":"b"}]}]}}}}',
    );
    assert.equal(
      await k(
        "get",
        "deploy",
        "web",
        "-o",
        "jsonpath={.spec.template.spec.containers[0].image}/{.spec.template.spec.containers[0].env[0].name}",
      ),
      "nginx/A",
    );
    await k("rollout", "status", "deployment/web", "--timeout=90s");
  });

  test("edit changes what the editor changed", async () => {
    await k("create", "configmap", "edited", "--from-literal=a=before");
    const result = await kubectl(cluster.info.kubeconfig, ["edit", "configmap", "edited"], {
      env: { KUBE_EDITOR: "sed -i s/before/after/" },
    });
    assert.equal(result.code, 0, result.stderr);
    assert.equal(await k("get", "cm", "edited", "-o", "jsonpath={.data.a}"), "after");
  });

  test("label and annotate add and remove", async () => {
    await k("create", "configmap", "labelled");
    await k("label", "cm", "labelled", "tier=one");
    await k("annotate", "cm", "labelled", "note=x");
    assert.equal(await k("get", "cm", "-l", "tier=one", "-o", "jsonpath={.items[0].metadata.annotations.note}"), "x");
    await k("label", "cm", "labelled", "tier-");
    assert.equal(await k("get", "cm", "-l", "tier=one", "-o", "name"), "");
  });

  test("scale, rollout history, undo and restart", async () => {
    await k("create", "deployment", "rolled", "--image=one", "--replicas=1");
    await k("rollout", "status", "deployment/rolled", "--timeout=90s");
    await k("scale", "deployment/rolled", "--replicas=3");
    await k("rollout", "status", "deployment/rolled", "--timeout=90s");
    await k("set", "image", "deployment/rolled", "one=two");
    await k("rollout", "status", "deployment/rolled", "--timeout=90s");
    assert.match(await k("rollout", "history", "deployment/rolled"), /^1\s+<none>\n2\s+<none>/m);
    await k("rollout", "undo", "deployment/rolled");
    await k("rollout", "status", "deployment/rolled", "--timeout=90s");
    assert.equal(await k("get", "deploy", "rolled", "-o", "jsonpath={.spec.template.spec.containers[0].image}"), "one");
    await k("rollout", "restart", "deployment/rolled");
    await k("rollout", "status", "deployment/rolled", "--timeout=90s");
    assert.equal(await k("get", "deploy", "rolled", "-o", "jsonpath={.status.readyReplicas}"), "3");
    await k("delete", "deployment", "rolled");
  });

  test("expose makes a Service whose endpoints are the pods", async () => {
    await k("expose", "deployment", "web", "--port=80", "--target-port=8080");
    assert.match(await k("get", "svc", "web", "-o", "jsonpath={.spec.clusterIP}"), /^10\.96\./);
    await k("wait", "--for=jsonpath={.subsets[0].addresses[1].ip}", "endpoints/web", "--timeout=90s");
    assert.match(await k("get", "endpointslices", "-l", "kubernetes.io/service-name=web"), /IPv4\s+8080/);
  });

  test("run and wait for a pod, then delete it", async () => {
    await k("run", "single", "--image=nginx", "--restart=Never");
    await k("wait", "--for=condition=Ready", "pod/single", "--timeout=90s");
    await k("delete", "pod", "single");
    await fails("get", "pod", "single");
  });

  test("run --restart=Never with a command that ends completes", async () => {
    await k("run", "short", "--image=busybox", "--restart=Never", "--command", "--", "sh", "-c", "sleep 1; exit 0");
    await k("wait", "--for=jsonpath={.status.phase}=Succeeded", "pod/short", "--timeout=90s");
  });

  test("cordon, drain, uncordon", async () => {
    const node = await k("get", "nodes", "-o", "jsonpath={.items[0].metadata.name}");
    await k("cordon", node);
    assert.match(await k("get", "node", node), /Ready,SchedulingDisabled/);
    await k("drain", node, "--ignore-daemonsets", "--delete-emptydir-data", "--force", "--timeout=60s");
    assert.equal(await k("get", "pods", "-A", "--field-selector", `spec.nodeName=${node}`, "-o", "name"), "");
    await k("uncordon", node);
    await k("rollout", "status", "deployment/web", "--timeout=90s");
  });

  test("taint keeps pods away and is removed again", async () => {
    const node = await k("get", "nodes", "-o", "jsonpath={.items[1].metadata.name}");
    await k("taint", "node", node, "only=me:NoSchedule");
    assert.match(await k("describe", "node", node), /only=me:NoSchedule/);
    await k("taint", "node", node, "only=me:NoSchedule-");
  });

  test("a pod that fits nowhere says why", async () => {
    await k(
      "run",
      "huge",
      "--image=nginx",
      "--overrides",
      '{"spec":{"containers":[{"name":"huge","image":"nginx","resources":{"requests":{"cpu":"1000"}}}]}}',
    );
    await k("wait", "--for=condition=PodScheduled=False", "pod/huge", "--timeout=90s");
    assert.match(await k("describe", "pod", "huge"), /FailedScheduling.*0\/3 nodes are available: 3 Insufficient cpu/);
    await k("delete", "pod", "huge");
  });

  test("auth can-i answers for oneself and for others", async () => {
    assert.equal((await k("auth", "can-i", "delete", "nodes")).trim(), "yes");
    assert.equal((await cluster.kubectl("auth", "can-i", "delete", "nodes", "--as=nobody")).stdout.trim(), "no");
    assert.match(await k("auth", "whoami"), /kubernetes-admin/);
  });

  test("a user without rights gets upstream's refusal", async () => {
    assert.match(
      (await fails("get", "pods", "--as=nobody")).stderr,
      /Error from server \(Forbidden\): pods is forbidden: User "nobody" cannot list resource "pods" in API group "" in the namespace "default"/,
    );
  });

  test("explain describes fields", async () => {
    assert.match(await k("explain", "pod.spec.containers.image"), /FIELD: image <string>/);
    assert.match(await k("explain", "deployment"), /KIND:\s+Deployment/);
  });

  test("top says that metrics are not available", async () =>
    assert.match((await fails("top", "nodes")).stderr, /Metrics API not available/));

  test("create quota, role, rolebinding, serviceaccount, token", async () => {
    await k("create", "serviceaccount", "robot");
    await k("create", "role", "reader", "--verb=get,list", "--resource=pods");
    await k("create", "rolebinding", "robot-reads", "--role=reader", "--serviceaccount=default:robot");
    assert.equal((await k("auth", "can-i", "list", "pods", "--as=system:serviceaccount:default:robot")).trim(), "yes");
    const token = (await k("create", "token", "robot")).trim();
    assert.equal(token.split(".").length, 3);
  });

  test("proxy lends kubectl's credentials, and refuses exec by its own default", async () => {
    const proxy = spawn("kubectl", ["--kubeconfig", cluster.info.kubeconfig, "proxy", "--port=0"]);
    try {
      const said = await new Promise<string>((resolve) => proxy.stdout.once("data", (text: Buffer) => resolve(text.toString())));
      const address = `http://${/127\.0\.0\.1:\d+/.exec(said)?.[0]}`;
      const listed = await fetch(`${address}/api/v1/namespaces/default/pods`);
      assert.equal(listed.status, 200);
      const [pod] = ((await listed.json()) as { items: { metadata: { name: string } }[] }).items;
      const exec = `${address}/api/v1/namespaces/default/pods/${pod?.metadata.name}/exec?command=true`;
      assert.equal((await fetch(exec, { method: "POST" })).status, 403);
      const watched = await fetch(`${address}/api/v1/namespaces?watch=1`);
      const reader = watched.body?.getReader();
      assert.match(new TextDecoder().decode((await reader?.read())?.value), /^\{"type":"ADDED"/);
      await reader?.cancel();
    } finally {
      proxy.kill();
    }
  });

  test("delete namespace removes what is in it", async () => {
    await k("create", "namespace", "gone");
    await k("-n", "gone", "create", "deployment", "web", "--image=nginx");
    await k("delete", "namespace", "gone", "--timeout=40s");
    await fails("get", "namespace", "gone");
    assert.equal(await k("get", "pods", "-n", "gone", "-o", "name"), "");
  });

  test("bad input changes nothing and gets upstream's words", async () => {
    const path = file("bad.yaml", "apiVersion: v1\nkind: Pod\nmetadata: {name: Bad_Name}\nspec: {containers: []}\n");
    const { stderr } = await fails("create", "-f", path);
    assert.match(stderr, /The Pod "Bad_Name" is invalid/);
    assert.match(stderr, /metadata\.name: Invalid value: "Bad_Name": a lowercase RFC 1123 subdomain/);
    assert.match(stderr, /spec\.containers: Required value/);
    const unknown = file("unknown.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: odd}\ndatum: {}\n");
    assert.match((await fails("create", "-f", unknown)).stderr, /strict decoding error: unknown field "datum"/);
    assert.match((await fails("get", "widgets")).stderr, /the server doesn't have a resource type "widgets"/);
  });
});
