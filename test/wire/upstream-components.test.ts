// Any component may be replaced by upstream's own program (S-292): its kube-scheduler and its kube-controller-manager against our API server.
// Runs where these are on the PATH.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { ensurePki } from "#apiserver";
import { silentLog, systemClock, systemFiles, systemRandom } from "#base";
import { writeKubeconfig } from "#client";
import { Scratch } from "../store/support/scratch.ts";
import { type ApiServerProcess, startApiServerProcess } from "../support/api-server.ts";
import { type Component, startOurs, startProgram } from "../support/component.ts";
import { kubectl, needs } from "../support/tiphys.ts";

const replicas = 10;
const combinations = [["kube-scheduler"], ["kube-controller-manager"], ["kube-scheduler", "kube-controller-manager"]];

for (const theirs of combinations)
  describe(`upstream's ${theirs.join(" and ")}`, { skip: needs("kubectl", ...theirs), concurrency: false }, () => {
    let scratch: Scratch;
    const components: Component[] = [];
    let server: ApiServerProcess | undefined;
    const k = async (...words: string[]): Promise<string> => {
      const { code, stdout, stderr } = await kubectl(`${scratch.path}/admin`, words, { timeoutMs: 200_000 });
      assert.equal(
        code,
        0,
        `${words.join(" ")}\n${stderr}${components.map((each) => each.output().slice(-2000)).join("\n---\n")}`,
      );
      return stdout;
    };

    before(async () => {
      scratch = new Scratch("upstream", { inMemory: true });
      const directory = scratch.path;
      const deps = { files: systemFiles, clock: systemClock, random: systemRandom, log: silentLog };
      const pki = await ensurePki(`${directory}/pki`, { ...deps, serverNames: ["127.0.0.1"] });
      server = await startApiServerProcess(directory, "server", pki, [`--store-directory=${directory}/store`]);
      const accounts = { admin: pki.admin, "kube-scheduler": pki.scheduler, "kube-controller-manager": pki.controllerManager };
      for (const [name, credentials] of Object.entries(accounts)) {
        const contents = { server: server.url, caCertificate: pki.ca.certificate, credentials };
        await writeKubeconfig(systemFiles, `${directory}/${name}`, contents);
      }
      const authority = `${directory}/pki/ca`;
      for (const name of ["kube-scheduler", "kube-controller-manager"]) {
        const access = `${directory}/${name}`;
        const isManager = name === "kube-controller-manager";
        const flags = [`--kubeconfig=${access}`, "--secure-port=0", ...(isManager ? [`--root-ca-file=${authority}.crt`] : [])];
        if (!theirs.includes(name)) components.push(startOurs(name, ...flags));
        else if (!isManager) components.push(startProgram(name, ...flags));
        else
          components.push(
            startProgram(
              name,
              ...flags,
              "--use-service-account-credentials",
              `--service-account-private-key-file=${directory}/pki/sa.key`,
              `--cluster-signing-cert-file=${authority}.crt`,
              `--cluster-signing-key-file=${authority}.key`,
            ),
          );
      }
      components.push(startOurs("sim-nodes", `--kubeconfig=${directory}/admin`, "--count=5"));
      await k("wait", "--for=create", "serviceaccount/default", "--timeout=180s");
    });
    after(async () => {
      for (const component of components.reverse()) await component.stop();
      await server?.[Symbol.asyncDispose]();
      scratch[Symbol.dispose]();
    });

    test(`a Deployment of ${replicas} becomes Ready on every node`, async () => {
      await k("wait", "--for=create", "node/sim-4", "--timeout=180s");
      await k("create", "deployment", "web", "--image=nginx", `--replicas=${replicas}`);
      await k("rollout", "status", "deployment/web", "--timeout=180s");
      const nodes = (await k("get", "pods", "-o", "jsonpath={.items[*].spec.nodeName}")).trim().split(" ");
      assert.equal(nodes.length, replicas);
      assert.ok(new Set(nodes).size > 1, `all on ${nodes[0]}`);
    });

    test("it is scaled and rolled", async () => {
      await k("scale", "deployment/web", `--replicas=${2 * replicas}`);
      await k("rollout", "status", "deployment/web", "--timeout=180s");
      await k("set", "image", "deployment/web", "nginx=nginx:2");
      await k("rollout", "status", "deployment/web", "--timeout=180s");
      await k("rollout", "undo", "deployment/web");
      await k("rollout", "status", "deployment/web", "--timeout=180s");
    });

    test("it is deleted with what it owned", async () => {
      await k("delete", "deployment", "web", "--timeout=180s");
      await k("wait", "--for=delete", "replicaset,pod", "-l", "app=web", "--timeout=180s");
    });

    test("a namespace gets what it needs, and is deleted with what is in it", async () => {
      await k("create", "namespace", "short");
      for (const object of ["serviceaccount/default", "configmap/kube-root-ca.crt"])
        await k("-n", "short", "wait", "--for=create", object, "--timeout=180s");
      await k("-n", "short", "create", "job", "once", "--image=busybox", "--", "true");
      await k("-n", "short", "wait", "--for=condition=Complete", "job/once", "--timeout=180s");
      await k("delete", "namespace", "short", "--timeout=180s");
    });
  });
