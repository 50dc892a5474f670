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
      const stop = new AbortController();
      const changed = Promise.withResolvers<void>();
      const shown = Promise.withResolvers<void>();
      const watching = ownKubectl(cluster.info.kubeconfig, ["get", "cm", "watched", "-w", "--output-watch-events"], {
        signal: stop.signal,
        onOutput: (all) => {
          if (all.includes("ADDED")) shown.resolve();
          if (all.includes("DELETED")) changed.resolve();
        },
      });
      // it must be there to be watched by name
      assert.match((await watching).stderr, /configmaps "watched" not found/);
      await cluster.kubectl("create", "configmap", "watched", "--from-literal=a=1");
      const again = ownKubectl(cluster.info.kubeconfig, ["get", "cm", "watched", "-w", "--output-watch-events"], {
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
        (await again).stdout,
        /^EVENT +NAME +DATA +AGE\nADDED +watched +1 .*\nMODIFIED +watched +2 .*\nDELETED +watched +2 .*\n$/,
      );
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
