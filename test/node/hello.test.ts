// The whole way on a real node: containers from our own images answer through a Service; afterwards nothing of ours is left on the machine.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, globSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { get } from "node:http";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { after, before, describe, test } from "node:test";
import { leftovers } from "../support/leftovers.ts";
import { kubectl, needsRoot, run, startTiphys, type Tiphys } from "../support/tiphys.ts";

const skip = needsRoot("kubectl", "containerd", "runc", "nft", "ip", "conntrack", "busybox");
const appArmor = "/sys/kernel/security/apparmor";
const main = join(import.meta.dirname, "../../src/cli/main.ts");
const example = join(import.meta.dirname, "../../examples/hello.yaml");

describe("one real node", { skip, concurrency: false }, () => {
  let cluster: Tiphys;
  let directory: string;
  let manifests: string;
  let before_: readonly string[];
  const k = async (...args: string[]): Promise<string> => {
    const result = await cluster.kubectl(...args);
    assert.equal(result.code, 0, `kubectl ${args.join(" ")}\n${result.stdout}${result.stderr}`);
    return result.stdout;
  };
  const podNames = async (): Promise<string[]> =>
    (await k("get", "pods", "-l", "app=hello", "-o", "jsonpath={.items[*].metadata.name}")).trim().split(" ");
  const nodePort = async (): Promise<string> => {
    const address = await k("get", "nodes", "-o", 'jsonpath={.items[0].status.addresses[?(@.type=="InternalIP")].address}');
    return `http://${address}:${await k("get", "svc", "hello", "-o", "jsonpath={.spec.ports[0].nodePort}")}/`;
  };

  const runtimeClass = (name: string): string => {
    const file = join(directory, `${name}.json`);
    writeFileSync(
      file,
      JSON.stringify({ apiVersion: "node.k8s.io/v1", kind: "RuntimeClass", metadata: { name }, handler: name }),
    );
    return file;
  };

  before(async () => {
    directory = mkdtempSync(join(tmpdir(), "hello-"));
    before_ = await leftovers();
    manifests = join(directory, "manifests");
    mkdirSync(manifests);
    cluster = await startTiphys(["--nodes", "1", "--log-level", "info", "--pod-manifest-path", manifests], { timeoutMs: 90_000 });
    await k("apply", "-f", example);
    await k("run", "hoarder", "--image=tiphys.local/busybox:1", "--restart=Never", "--overrides", hoarder);
    await k("rollout", "status", "deployment/hello", "--timeout=90s");
  });
  after(async () => {
    await cluster?.[Symbol.asyncDispose]();
    rmSync(directory, { recursive: true, force: true });
  });

  test("the pods run, with addresses of the node's range", async () => {
    const names = await podNames();
    assert.equal(names.length, 3);
    const addresses = (await k("get", "pods", "-l", "app=hello", "-o", "jsonpath={.items[*].status.podIP}")).trim().split(" ");
    assert.equal(new Set(addresses).size, 3);
    for (const address of addresses) assert.match(address, /^10\.244\.0\./);
  });

  test("logs -f follows what the container writes", async () => {
    const [name = ""] = await podNames();
    assert.match(await k("logs", name), /serving on 8080/);
    const following = spawn("kubectl", ["--kubeconfig", cluster.info.kubeconfig, "logs", "-f", name]);
    let written = "";
    const heard = (words: RegExp): Promise<void> =>
      new Promise((resolve) => {
        const look = (): void => {
          if (words.test(written)) resolve();
        };
        following.stdout.on("data", look);
        look();
      });
    following.stdout.on("data", (data: Buffer) => {
      written += data.toString();
    });
    // what comes after this is followed, not read from the file
    await heard(/serving on 8080/);
    await k("exec", name, "--", "sh", "-c", "echo spoken > /proc/1/fd/1");
    await heard(/spoken/);
    following.kill();
  });

  test("exec gives output and exit codes, over WebSocket and over SPDY", async () => {
    const [name = ""] = await podNames();
    for (const webSockets of ["true", "false"]) {
      const result = await kubectl(cluster.info.kubeconfig, ["exec", name, "--", "sh", "-c", "echo out; echo err >&2; exit 7"], {
        env: { KUBECTL_REMOTE_COMMAND_WEBSOCKETS: webSockets },
      });
      assert.deepEqual([result.code, result.stdout], [7, "out\n"], result.stderr);
      assert.match(result.stderr, /^err\n/);
      const piped = await kubectl(cluster.info.kubeconfig, ["exec", "-i", name, "--", "cat"], {
        input: "through stdin",
        env: { KUBECTL_REMOTE_COMMAND_WEBSOCKETS: webSockets },
      });
      assert.equal(piped.stdout, "through stdin", piped.stderr);
    }
  });

  for (const [program, command] of [
    ["kubectl", "kubectl"],
    ["tiphys kubectl", `${process.execPath} --disable-warning=ExperimentalWarning ${main} kubectl`],
  ] as const)
    test(`${program} exec -it has a terminal of the right size, which passes on what is typed`, async () => {
      const [name = ""] = await podNames();
      // the size may arrive when the command runs already; until then stty says nothing
      const inside = 'until stty size 2> /dev/null | grep "[1-9]"; do sleep 1; done; read word; echo "heard $word"; exit 7';
      const outside = `stty rows 31 cols 97; ${command} --kubeconfig ${cluster.info.kubeconfig} exec -it ${name} -- sh -c '${inside}'`;
      const result = await run("script", ["-qec", outside, "/dev/null"], { input: "typed\n" });
      assert.match(result.stdout, /31 97\r\n/, result.stderr);
      assert.match(result.stdout, /heard typed\r\n/);
      assert.equal(result.code, 7, result.stdout);
    });

  test("port-forward carries several connections, both ways of tunnelling", async () => {
    const [name = ""] = await podNames();
    for (const webSockets of ["true", "false"]) {
      const forwarding = spawn("kubectl", ["--kubeconfig", cluster.info.kubeconfig, "port-forward", `pod/${name}`, ":8080"], {
        env: { ...process.env, KUBECTL_PORT_FORWARD_WEBSOCKETS: webSockets },
      });
      try {
        const text = await new Promise<string>((resolve, reject) => {
          forwarding.stdout.on("data", (data: Buffer) => resolve(data.toString()));
          forwarding.stderr.on("data", (data: Buffer) => reject(new Error(data.toString())));
        });
        const port = /127\.0\.0\.1:(\d+)/.exec(text)?.[1];
        const answers = await Promise.all([1, 2, 3].map(() => fetchText(`http://127.0.0.1:${port}/`)));
        for (const answer of answers) assert.match(answer, new RegExp(`hello from ${name}, greeting good day`));
      } finally {
        forwarding.kill();
      }
    }
  });

  test("a static pod runs from its file, comes back when its mirror is deleted, and ends with its file", async () => {
    const path = join(manifests, "lonely.yaml");
    writeFileSync(
      path,
      "apiVersion: v1\nkind: Pod\nmetadata: {name: lonely}\nspec:\n  terminationGracePeriodSeconds: 0\n  containers: [{name: a, image: tiphys.local/busybox:1, command: [sleep, infinity]}]\n",
    );
    const [node = ""] = cluster.info.nodes;
    const mirror = `pod/lonely-${node}`;
    await k("wait", "--for=create", mirror, "--timeout=60s");
    await k("wait", "--for=condition=Ready", mirror, "--timeout=60s");
    const container = "jsonpath={.status.containerStatuses[0].containerID}";
    const id = await k("get", mirror, "-o", container);
    await k("delete", mirror, "--grace-period=0"); // returns when that one is gone
    await k("wait", "--for=create", mirror, "--timeout=60s");
    await k("wait", `--for=${container}=${id}`, mirror, "--timeout=60s");
    rmSync(path);
    await k("wait", "--for=delete", mirror, "--timeout=60s");
  });

  test("attach joins the running process", async () => {
    await k(
      "run",
      "echo",
      "--image=tiphys.local/busybox:1",
      "--image-pull-policy=IfNotPresent",
      "--restart=Never",
      "-i",
      "--stdin",
      "--command",
      "--overrides",
      '{"spec":{"terminationGracePeriodSeconds":1}}',
      "--attach=false",
      "--",
      "cat",
    );
    await k("wait", "--for=condition=Ready", "pod/echo", "--timeout=90s");
    const attached = await kubectl(cluster.info.kubeconfig, ["attach", "-i", "echo"], { input: "across\n", timeoutMs: 60_000 });
    assert.match(attached.stdout, /across/);
    await k("delete", "pod", "echo", "--wait=false");
  });

  test("cp copies a file in and out", async () => {
    const [name = ""] = await podNames();
    const source = join(directory, "in.txt");
    writeFileSync(source, "carried\n");
    await k("cp", source, `${name}:/tmp/in.txt`);
    await k("cp", `${name}:/tmp/in.txt`, join(directory, "out.txt"));
    assert.equal(readFileSync(join(directory, "out.txt"), "utf8"), "carried\n");
  });

  test("cluster-info says where the DNS is", async () => assert.match(await k("cluster-info"), /CoreDNS.* is running at/));

  test("a pod reaches the Service by its name", async () => {
    const [name = ""] = await podNames();
    assert.match(
      await k("exec", name, "--", "wget", "-q", "-O", "-", "http://hello.default.svc.cluster.local"),
      /hello from hello-/,
    );
    assert.match(await k("exec", name, "--", "wget", "-q", "-O", "-", "http://hello"), /hello from hello-/);
  });

  test("a pod has its token and reaches the API server through its Service", async () => {
    const [name = ""] = await podNames();
    const token = await k("exec", name, "--", "cat", "/var/run/secrets/kubernetes.io/serviceaccount/token");
    assert.equal(token.split(".").length, 3);
    await k("exec", name, "--", "sh", "-c", "nc -w 3 kubernetes.default.svc 443 < /dev/null");
  });

  test("the NodePort answers from the host, from every pod in turn", async () => {
    const url = await nodePort();
    const answers = new Set<string>();
    for (let i = 0; i < 40; i++) answers.add(/from (\S+),/.exec(await fetchText(url))?.[1] ?? "");
    assert.equal(answers.size, 3);
  });

  test("scale to 10, roll to a new environment variable and back without a failed request at 50 a second", async () => {
    await k("scale", "deployment/hello", "--replicas=10");
    await k("rollout", "status", "deployment/hello", "--timeout=120s");
    const url = await nodePort();
    const client = ask(url, 50);
    await k("set", "env", "deployment/hello", "GREETING=good evening");
    await k("rollout", "status", "deployment/hello", "--timeout=180s");
    await k("rollout", "undo", "deployment/hello");
    await k("rollout", "status", "deployment/hello", "--timeout=180s");
    const { answered, failures } = await client.stop();
    assert.deepEqual(failures, []);
    assert.ok(answered > 100, `${answered} answers`);
    // a pod that is on its way out may still answer
    let answer = await fetchText(url);
    for (let i = 0; i < 1_000 && !answer.includes("good day"); i++) answer = await fetchText(url);
    assert.match(answer, /good day/);
  });

  test("a container that ends is restarted, with its previous log", async () => {
    await k(
      "run",
      "flaky",
      "--image=tiphys.local/busybox:1",
      "--image-pull-policy=IfNotPresent",
      "--command",
      "--",
      "sh",
      "-c",
      "echo a life; sleep 1; exit 3",
    );
    await k("wait", "pod/flaky", "--for=jsonpath={.status.containerStatuses[0].restartCount}=1", "--timeout=90s");
    assert.equal(
      await k("get", "pod", "flaky", "-o", "jsonpath={.status.containerStatuses[0].lastState.terminated.exitCode}"),
      "3",
    );
    assert.match(await k("logs", "--previous", "flaky"), /a life/);
    await k(
      "wait",
      "pod/flaky",
      "--for=jsonpath={.status.containerStatuses[0].state.waiting.reason}=CrashLoopBackOff",
      "--timeout=90s",
    );
    await k("delete", "pod", "flaky", "--grace-period=1");
  });

  test("a pod's containers are in a control group of its own, with its limits, until the pod is gone", async () => {
    const groups = (): string[] => globSync(`/sys/fs/cgroup/{,*/}tiphys-*/kubepods/burstable/pod${uid}`);
    await k("run", "bounded", "--image=tiphys.local/busybox:1", "--overrides", overrides("bounded", bounded));
    const uid = await k("get", "pod", "bounded", "-o", "jsonpath={.metadata.uid}");
    await k("wait", "pod/bounded", "--for=condition=Ready", "--timeout=60s");
    const files = (...names: string[]): string[] =>
      groups().flatMap((path) => names.map((name) => join(path, name)).filter((file) => existsSync(file)));
    const [limit = ""] = files("memory.limit_in_bytes", "memory.max");
    assert.equal(readFileSync(limit, "utf8").trim(), String(48 << 20));
    // the sandbox's process and the container's
    const inside = globSync(`${dirname(limit)}/*/cgroup.procs`).map((file) => readFileSync(file, "utf8").trim());
    assert.equal(inside.length, 2);
    assert.ok(inside.every((pids) => pids !== ""));
    await k("delete", "pod", "bounded", "--grace-period=1");
    assert.deepEqual(groups(), []);
  });

  test("a pod is held to the bandwidth of its annotations", { skip: !existsSync("/usr/lib/cni/bandwidth") }, async () => {
    const rate = "--annotations=kubernetes.io/ingress-bandwidth=8M";
    await k("run", "slow", "--image=tiphys.local/busybox:1", rate, "--command", "--", "sleep", "600");
    await k("wait", "pod/slow", "--for=condition=Ready", "--timeout=60s");
    assert.match((await run("tc", ["qdisc", "show"])).stdout, /qdisc tbf .* rate 8Mbit /);
    await k("delete", "pod", "slow", "--grace-period=1");
  });

  test("a pod that the runtime cannot run says why: an absent handler, a user namespace", async () => {
    await k("create", "-f", runtimeClass("absent"));
    for (const [name, spec, words] of [
      ["absent", { runtimeClassName: "absent" }, /failed to get sandbox runtime: no runtime for "absent" is configured/],
      ["mapped", { hostUsers: false }, /can't set `spec.hostUsers: false`, runtime does not support user namespaces/],
    ] as const) {
      await k("run", name, "--image=tiphys.local/busybox:1", "--overrides", JSON.stringify({ spec }));
      const about = `--field-selector=involvedObject.name=${name},reason=FailedCreatePodSandBox`;
      const watching = spawn("kubectl", ["--kubeconfig", cluster.info.kubeconfig, "get", "events", "-w", "--no-headers", about]);
      const [line = ""] = await once(createInterface(watching.stdout), "line");
      watching.kill();
      assert.match(line, words);
      await k("delete", "pod", name, "--grace-period=1");
    }
  });

  test("a pod that asks for AppArmor is refused where the host has none", { skip: existsSync(appArmor) }, async () => {
    const spec = { securityContext: { appArmorProfile: { type: "RuntimeDefault" } } };
    await k("run", "confined", "--image=tiphys.local/busybox:1", "--overrides", JSON.stringify({ spec }));
    await k("wait", "pod/confined", "--for=jsonpath={.status.reason}=AppArmor", "--timeout=60s");
    const message = await k("get", "pod", "confined", "-o", "jsonpath={.status.message}");
    assert.equal(message, "Pod was rejected: Cannot enforce AppArmor: AppArmor is not enabled on the host");
    await k("delete", "pod", "confined");
  });

  test("a pod that writes more to an emptyDir than it may is evicted", async () => {
    await k("wait", "pod/hoarder", "--for=jsonpath={.status.reason}=Evicted", "--timeout=90s");
    const { status } = JSON.parse(await k("get", "pod", "hoarder", "-o", "json")) as {
      status: { phase: string; message: string };
    };
    assert.equal(status.phase, "Failed");
    assert.equal(status.message, 'Usage of EmptyDir volume "scratch" exceeds the limit "1Mi". ');
    await k("delete", "pod", "hoarder");
  });

  test("an image that cannot be had says so in the pod's status and events", async () => {
    await k("run", "missing", "--image=tiphys.local/none:1", "--restart=Never");
    await k(
      "wait",
      "--for=jsonpath={.status.containerStatuses[0].state.waiting.reason}=ErrImagePull",
      "pod/missing",
      "--timeout=60s",
    );
    assert.match(await k("describe", "pod", "missing"), /Failed to pull image "tiphys.local\/none:1"/);
    await k("delete", "pod", "missing");
  });

  test("deleting the namespace removes its pods, stopping leaves nothing behind", async () => {
    await k("create", "namespace", "short");
    await k("-n", "short", "apply", "-f", example);
    await k("-n", "short", "rollout", "status", "deployment/hello", "--timeout=90s");
    await k("delete", "namespace", "short", "--timeout=90s");
    assert.equal(await cluster.stop("SIGTERM"), 0, cluster.output());
    assert.deepEqual(await leftovers(), before_);
  });
});

const bounded = { requests: { cpu: "100m" }, limits: { cpu: "200m", memory: "48Mi" } };

/** Writes twice the size that its volume may have. */
const hoarder = JSON.stringify({
  spec: {
    volumes: [{ name: "scratch", emptyDir: { sizeLimit: "1Mi" } }],
    containers: [
      {
        name: "hoarder",
        image: "tiphys.local/busybox:1",
        command: ["sh", "-c", "dd if=/dev/zero of=/scratch/full bs=1M count=2; sleep 600"],
        volumeMounts: [{ name: "scratch", mountPath: "/scratch" }],
      },
    ],
  },
});

/** For `kubectl run`. */
const overrides = (name: string, resources: object): string =>
  JSON.stringify({ spec: { containers: [{ name, image: "tiphys.local/busybox:1", args: ["sleep", "600"], resources }] } });

function fetchText(url: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const request = get(url, { agent: false, timeout: 5000 }, (response) => {
      let text = "";
      response.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
      response.on("end", () => (response.statusCode === 200 ? resolve(text) : reject(new Error(`${response.statusCode}`))));
      response.on("error", reject);
    });
    request.on("timeout", () => request.destroy(new Error("timed out")));
    request.on("error", reject);
  });
}

/** A client that asks on a new connection each time, `perSecond` times a second, until stopped. */
function ask(url: string, perSecond: number): { stop(): Promise<{ answered: number; failures: string[] }> } {
  const failures: string[] = [];
  let answered = 0;
  const running = new Set<Promise<void>>();
  const timer = setInterval(() => {
    const one = fetchText(url).then(
      () => void answered++,
      (error: Error) => void failures.push(error.message),
    );
    running.add(one);
    void one.finally(() => running.delete(one));
  }, 1000 / perSecond);
  return {
    stop: async () => {
      clearInterval(timer);
      await Promise.all(running);
      return { answered, failures };
    },
  };
}
