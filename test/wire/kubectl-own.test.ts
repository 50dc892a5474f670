// `tiphys kubectl` beside the real kubectl on the same cluster: the same words give the same output, errors and exit code.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { isDeepStrictEqual } from "node:util";
import { ownKubectl } from "../support/own-kubectl.ts";
import { type CommandResult, kubectl, needs, run, startTiphys, type Tiphys } from "../support/tiphys.ts";

const skip = needs("kubectl");
const main = join(import.meta.dirname, "../../src/cli/main.ts");

describe("tiphys kubectl beside kubectl", { skip, concurrency: false }, () => {
  let cluster: Tiphys;
  let directory: string;

  before(async () => {
    directory = mkdtempSync(join(tmpdir(), "own-kubectl-"));
    cluster = await startTiphys(["--nodes", "0", "--sim-nodes", "2"]);
    for (const words of [
      "create deployment web --image=nginx --replicas=2",
      "create service clusterip svc --tcp=80:80",
      "rollout status deployment/web --timeout=90s",
    ]) {
      const { code, stderr } = await cluster.kubectl(...words.split(" "));
      assert.equal(code, 0, stderr);
    }
  });
  after(async () => {
    await cluster?.[Symbol.asyncDispose]();
    rmSync(directory, { recursive: true, force: true });
  });

  /** Ages pass while we look; the program's own name is its own; some packages of kubectl say "Error" where it says "error". */
  const comparable = ({ code, stdout, stderr }: CommandResult) => ({
    code,
    stdout: stdout.replaceAll(/ *\b(?:AGE|\d+[smhd](?:\d+[smh])?)\b */g, " AGE "),
    stderr: stderr.replaceAll(/\b(?:tiphys )?kubectl(?:\.[\d.]+)?\b/g, "kubectl").replace(/^Error: /, "error: "),
  });

  const equal = async (...args: string[]): Promise<void> => {
    const { kubeconfig } = cluster.info;
    const real = async () => comparable(await kubectl(kubeconfig, args));
    for (let wanted = await real(); ; ) {
      const found = comparable(await ownKubectl(kubeconfig, args));
      if (isDeepStrictEqual(found, wanted)) return;
      const now = await real();
      // the cluster has not changed between the two
      if (isDeepStrictEqual(now, wanted)) return assert.deepEqual(found, wanted, args.join(" "));
      wanted = now;
    }
  };

  describe("get", () => {
    for (const line of [
      "get pods",
      "get pods -o wide",
      "get po,svc,deploy",
      "get pods -A",
      "get all",
      "get all -A",
      "get nodes -o name",
      "get no -o wide --show-labels",
      "get deploy web -o json",
      "get deploy web -o yaml",
      "get deploy,svc -o name",
      "get pods -o json",
      "get pods -o yaml",
      "get pods -l app=web -o name",
      "get pods -l app=none",
      "get ns --sort-by=.metadata.name",
      "get pods -L app,tier",
      "get pods --no-headers",
      "get pod nope",
      "get pod nope nope2",
      "get deploy web nope",
      "get widgets",
      "get pods --nope",
      "get pods -z",
      "get pods -n",
      "get pods -n other",
      "get svc/svc deploy/web",
      "get svc/svc deploy",
      "get deploy.apps",
      "get deploy.v1.apps",
      "get pods -o jsonpath={.items[*].metadata.labels.app}",
      'get pods -o jsonpath={range\u00a0.items[*]}{.metadata.labels.app}{"\\t"}{.status.phase}{"\\n"}{end}',
      "get pods nope --ignore-not-found",
      "get pods,svc -n kube-system",
      "get pod x -l app=web",
      "get pod x -A",
      "get cm --show-kind",
      "get --raw /readyz",
      "get pods --as=nobody",
      "get nodes --as=nobody --as-group=system:masters",
      "get pods --context=foo",
      "get pods --user=foo",
      "get pods --cluster=foo",
      "get -f /nope",
    ])
      test(line, () => equal(...line.split(" ").map((word) => word.replaceAll("\u00a0", " "))));

    test("every kind has the columns of the real kubectl", async () => {
      const { stdout } = await cluster.kubectl("api-resources", "--verbs=list", "-o", "name");
      const names = stdout.trim().split("\n");
      assert.ok(names.length > 50);
      // events come and go with what the cluster does
      const all = names.filter((name) => !name.startsWith("events") && !name.startsWith("leases")).join(",");
      await equal("get", all, "-A");
      await equal("get", all, "-A", "-o", "wide", "--show-kind");
    });

    test("-w shows what is there, then every change", async () => {
      await cluster.kubectl("create", "configmap", "watched", "--from-literal=a=1");
      const stop = new AbortController();
      const shown = Promise.withResolvers<void>();
      const changed = Promise.withResolvers<void>();
      const watching = ownKubectl(cluster.info.kubeconfig, ["get", "cm", "watched", "-w", "--output-watch-events"], {
        signal: stop.signal,
        onOutput: (all) => {
          if (all.includes("ADDED")) shown.resolve();
          if (all.includes("DELETED")) changed.resolve();
        },
      });
      await shown.promise;
      await cluster.kubectl("patch", "cm", "watched", "-p", '{"data":{"b":"2"}}');
      await cluster.kubectl("delete", "cm", "watched");
      await changed.promise;
      stop.abort();
      assert.match(
        (await watching).stdout,
        /^EVENT +NAME +DATA +AGE\nADDED +watched +1 .*\nMODIFIED +watched +2 .*\nDELETED +watched +2 .*\n$/,
      );
    });
  });

  /** Each with its own namespace, line by line; what they say is the same but for the names that the cluster gives. */
  const alike = async (lines: readonly string[], input?: string): Promise<void> => {
    const { kubeconfig } = cluster.info;
    const named = (result: CommandResult, namespace: string) => {
      const { code, stdout, stderr } = comparable(result);
      const plain = (text: string): string =>
        text.replaceAll(namespace, "NAMESPACE").replaceAll(/-[a-z0-9]{8,10}-[a-z0-9]{5}\b/g, "-HASH");
      return { code, stdout: plain(stdout), stderr: plain(stderr) };
    };
    for (const line of lines) {
      const words = (namespace: string): string[] =>
        line
          .split(" ")
          .map((word) => word.replaceAll("\u00a0", " ").replaceAll("NAMESPACE", namespace).replaceAll("DIRECTORY", directory));
      const real = words("of-real");
      const own = words("of-own");
      const wanted = named(await kubectl(kubeconfig, ["-n", "of-real", ...real], { input }), "of-real");
      const found = named(await ownKubectl(kubeconfig, ["-n", "of-own", ...own], { input }), "of-own");
      assert.deepEqual(found, wanted, line);
    }
  };

  describe("writing", () => {
    test("namespaces and data", () =>
      alike([
        "create configmap c --from-literal=a=1",
        "create ns NAMESPACE",
        "create namespace NAMESPACE",
        "wait --for=create sa/default --timeout=90s",
        "wait --for=create cm/kube-root-ca.crt --timeout=90s",
        "create configmap c --from-literal=a=1",
        "create configmap c --from-literal=a=1",
        "create configmap d --from-literal=ab",
        "create secret generic s --from-literal=a=b --type=foo",
        "get secret s -o jsonpath={.data}{.type}",
        "create secret tls t --cert=/x --key=/y",
        "create secret docker-registry r --docker-server=a --docker-username=b --docker-password=c",
        "get secret r -o jsonpath={.data}{.type}",
        "create ns other --dry-run=server",
        "create ns other --dry-run=client -o name",
        "create ns other --dry-run=maybe",
      ]));

    test("labels and annotations", () =>
      alike([
        "label cm c x=1",
        "label cm c x=1",
        "label cm c x=2",
        "label cm c x=2 --overwrite",
        "label cm c x-",
        "label cm c x-",
        "label cm c y=1 x-",
        "label cm c y- z=1",
        "label cm c --list",
        "label cm c",
        "label cm c a=b a-",
        "label cm nope a=b",
        "label cm --all q=1",
        "label cm c b@d=1",
        "label cm c a=b --dry-run=client",
        "label cm c a=b --dry-run=server -o name",
        "annotate cm c x=1",
        "annotate cm c x=2",
        "annotate cm c x-",
      ]));

    test("patches", () =>
      alike([
        'patch cm c -p {"data":{"b":"2"}}',
        'patch cm c -p {"data":{"b":"2"}}',
        'patch cm c --type json -p [{"op":"remove","path":"/data/b"}]',
        'patch cm c --type json -p [{"op":"remove","path":"/data/b"}]',
        'patch cm c --type merge -p data:\u00a0{z:\u00a0"1"} -o name',
        "patch cm c",
        "patch cm c --type foo -p {}",
        "get cm c -o jsonpath={.data}",
      ]));

    test("workloads", () =>
      alike([
        "create deployment d --image=nginx --port=80",
        "create deployment d --image=nginx",
        "scale deploy d --replicas=3",
        "scale deploy/d --replicas=3 --current-replicas=1",
        "scale cm c --replicas=1",
        "wait --for=jsonpath={.status.readyReplicas}=3 deploy/d --timeout=90s",
        "rollout status deploy d --timeout=90s",
        "rollout status deploy d -w=false",
        "rollout status cm c",
        "rollout status deploy nope",
        "wait --for=condition=Available deploy/d --timeout=90s",
        "wait --for=condition=Foo deploy/d --timeout=1s",
        "wait --for=jsonpath={.status.readyReplicas} deploy/d --timeout=90s",
        "wait --for=delete cm/nope --timeout=90s",
        "wait --for=condition=Foo deploy/nope",
        "wait --for=condition=Ready pods --all --timeout=90s",
        "wait --for=condition=Ready pods",
        "wait --for=condition=Ready pods -l a=b",
        "wait deploy/d",
        "wait --for=delete cm/c --timeout=1s",
        "wait --for=create cm/c --timeout=90s",
        "wait --for=create cm/cc --timeout=1s",
        "wait --for=foo cm/c",
      ]));

    test("services", () =>
      alike([
        "create service clusterip s1 --tcp=80:8080 --tcp=81",
        "get svc s1 -o jsonpath={.spec.ports}{.spec.selector}{.spec.type}{.metadata.labels}",
        "create service nodeport s2 --tcp=80:http",
        "get svc s2 -o jsonpath={.spec.ports[0].targetPort}{.spec.type}",
        "create service loadbalancer s3 --tcp=80",
        "create service externalname s4 --external-name=a.b",
        "get svc s4 -o jsonpath={.spec}",
        "create service clusterip s5 --clusterip=None",
        "get svc s5 -o jsonpath={.spec.clusterIP}",
        "create service clusterip s1 --tcp=80",
        "create service clusterip s6",
      ]));

    test("apply: created, unchanged, configured, of files, directories and standard input", async () => {
      const map = (name: string, value: string): string =>
        `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: ${name}}\ndata: {a: "${value}"}\n`;
      writeFileSync(join(directory, "one.yaml"), `${map("one", "1")}---\n${map("two", "1")}`);
      writeFileSync(join(directory, "three.json"), '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"three"}}');
      writeFileSync(join(directory, "ignored.txt"), "no object");
      await alike(["apply -f DIRECTORY", "apply -f DIRECTORY/one.yaml", "get cm one two three -o name"]);
      writeFileSync(join(directory, "one.yaml"), `${map("one", "2")}---\n${map("two", "1")}`);
      await alike([
        "apply -f DIRECTORY/one.yaml --dry-run=server",
        "apply -f DIRECTORY/one.yaml",
        "get cm one -o jsonpath={.data}",
        "apply -f DIRECTORY/one.yaml -o name",
        "apply -f DIRECTORY/nope.yaml",
        "apply",
        "create -f DIRECTORY/one.yaml",
        "delete -f DIRECTORY/one.yaml",
      ]);
      await alike(["apply -f -", "get cm four -o jsonpath={.data}"], map("four", "4"));
      await alike(["apply -n elsewhere -f -"], "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: five, namespace: default}\n");
      await alike(
        ["create -f -", "apply --server-side -f -"],
        "apiVersion: v1\nkind: Service\nmetadata: {name: bad}\nspec: {type: Odd, ports: [{port: 0}]}\n",
      );
      await alike(["create -f -"], "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: odd}\ndatum: {}\n");
      await alike(["create -f -"], "apiVersion: example.com/v1\nkind: Widget\nmetadata: {name: odd}\n");
    });

    test("delete waits, and says what is gone", async () => {
      const bare = (name: string): object => ({
        apiVersion: "v1",
        kind: "Pod",
        metadata: { name, labels: { bare: "yes" } },
        spec: { containers: [{ name: "app", image: "nginx" }] },
      });
      await alike(
        [
          "create -f -",
          "delete pods -l bare=yes --now",
          "create -f -",
          "delete pods -l bare=yes --force",
          "create -f -",
          "delete pod/one pod/two pod/three --grace-period=0",
          "get pods -l bare=yes",
        ],
        JSON.stringify({ apiVersion: "v1", kind: "List", items: [bare("one"), bare("two")] }),
      );
      await alike([
        "delete svc --all",
        "delete cm c nope",
        "get cm c",
        "delete pods -l a=b",
        "delete deploy/d --wait=false",
        "delete deploy",
        "delete",
        "delete pods x --all",
        "delete pods x -l a=b",
        "delete cm x --ignore-not-found",
        "delete cm kube-root-ca.crt --dry-run=client",
        "delete cm kube-root-ca.crt --dry-run=server -o name",
        "delete pod x --cascade=foo",
        "delete pod x --grace-period=3 --force",
        "delete pod x --now --grace-period=3",
        "delete ns NAMESPACE --timeout=90s",
        "get ns NAMESPACE",
      ]);
    });
  });

  describe("the rest", () => {
    before(async () => {
      const script = "echo one; echo two; sleep infinity";
      await cluster.kubectl("run", "echo", "--image=busybox", "--restart=Never", "--command", "--", "sh", "-c", script);
      await cluster.kubectl("wait", "--for=jsonpath={.status.containerStatuses[0].started}=true", "pod/echo", "--timeout=90s");
    });
    for (const line of [
      "logs echo",
      "logs echo --tail=1",
      "logs echo --since=1h",
      "logs echo --limit-bytes=3",
      "logs echo -c nope",
      "logs nope",
      "logs",
      "logs deploy/web",
      "logs deploy/nope",
      "logs -l app=web",
      "logs echo -l app=web",
      "exec echo -- ls",
      "exec nope -- ls",
      "exec echo ls",
      "exec echo",
      "exec",
      "exec deploy/web -- ls",
      "api-resources",
      "api-resources -o wide",
      "api-resources -o name --namespaced=false",
      "api-resources --api-group=apps --no-headers",
      "api-resources --api-group=foo",
      "api-resources --verbs=list,get --sort-by=kind",
      "api-resources --categories=all -o name",
      "config view",
      "config view -o jsonpath={.contexts[0].name}",
      "config view --minify",
      "config view --minify --context=nope",
      "config current-context",
    ])
      test(line, () => equal(...line.split(" ")));

    test("logs -f goes on until the container ends", async () => {
      const begun = Promise.withResolvers<void>();
      const following = ownKubectl(cluster.info.kubeconfig, ["logs", "-f", "echo"], {
        onOutput: (all) => all.includes("two") && begun.resolve(),
      });
      await begun.promise;
      await cluster.kubectl("delete", "pod", "echo", "--now");
      assert.equal((await following).stdout, "one\ntwo\n");
    });

    test("version names both sides", async () => {
      const { stdout } = await ownKubectl(cluster.info.kubeconfig, ["version"]);
      assert.match(stdout, /^Client Version: tiphys kubectl \d+\.\d+\.\d+\nServer Version: v1\.36\.\d+\+tiphys/);
    });
  });

  test("the program finds the cluster by KUBECONFIG, gives the exit code and names the real kubectl for what it has not", async () => {
    writeFileSync(join(directory, "other"), "apiVersion: v1\nkind: Config\n");
    const env = { KUBECONFIG: `${join(directory, "other")}:${cluster.info.kubeconfig}` };
    const tiphys = (...args: string[]): Promise<CommandResult> =>
      run(process.execPath, ["--disable-warning=ExperimentalWarning", main, "kubectl", ...args], { env });
    assert.match((await tiphys("get", "ns", "-o=name")).stdout, /^namespace\/default$/m);
    const missing = await tiphys("get", "ns", "nope");
    assert.deepEqual([missing.code, missing.stderr], [1, 'Error from server (NotFound): namespaces "nope" not found\n']);
    const unknown = await tiphys("debug", "pod/x");
    assert.equal(unknown.code, 1);
    assert.match(unknown.stderr, /unknown command "debug" for "tiphys kubectl".*use the real kubectl for the rest/);
  });
});
