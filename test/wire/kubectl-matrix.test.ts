// get, create, delete and patch of pods, deployments, nodes and services: with kubectl, and with `tiphys kubectl`, which makes each by name.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { ownKubectl } from "../support/own-kubectl.ts";
import { type CommandResult, kubectl, needs, startTiphys, type Tiphys } from "../support/tiphys.ts";

interface Kind {
  readonly kind: string;
  /** How kubectl names it in what it says. */
  readonly shown: string;
  /** What follows `create`; undefined where only a file will do. */
  readonly real: string | undefined;
  readonly own: string;
  readonly manifest?: object;
}

const kinds: readonly Kind[] = [
  {
    kind: "pod",
    shown: "pod",
    real: undefined,
    own: "pod NAME --image=nginx",
    manifest: { apiVersion: "v1", kind: "Pod", spec: { containers: [{ name: "app", image: "nginx" }] } },
  },
  {
    kind: "deployment",
    shown: "deployment.apps",
    real: "deployment NAME --image=nginx",
    own: "deployment NAME --image=nginx --replicas=2",
  },
  { kind: "node", shown: "node", real: undefined, own: "node NAME", manifest: { apiVersion: "v1", kind: "Node" } },
  { kind: "service", shown: "service", real: "service clusterip NAME --tcp=80", own: "service clusterip NAME --tcp=80" },
];

type Run = (words: readonly string[], input?: string) => Promise<CommandResult>;

describe("every verb with every kind", { concurrency: false }, () => {
  let cluster: Tiphys;
  before(async () => {
    cluster = await startTiphys(["--nodes", "0", "--sim-nodes", "1"]);
    // a pod wants its service account
    const { code, stderr } = await ownKubectl(cluster.info.kubeconfig, ["wait", "--for=create", "sa/default", "--timeout=90s"]);
    assert.equal(code, 0, stderr);
  });
  after(() => cluster?.[Symbol.asyncDispose]());

  const programs: readonly {
    readonly program: string;
    readonly skip: string | false;
    readonly prefix: string;
    readonly run: Run;
  }[] = [
    {
      program: "kubectl",
      skip: needs("kubectl"),
      prefix: "real",
      run: (words, input) => kubectl(cluster.info.kubeconfig, words, { input }),
    },
    {
      program: "tiphys kubectl",
      skip: false,
      prefix: "own",
      run: (words, input) => ownKubectl(cluster.info.kubeconfig, words, { input }),
    },
  ];

  for (const { program, skip, prefix, run } of programs)
    for (const { kind, shown, real, own, manifest } of kinds) {
      const name = `${prefix}-${kind}`;
      const says = async (words: readonly string[], wanted: string, input?: string): Promise<void> =>
        assert.deepEqual(await run(words, input), { code: 0, stdout: wanted, stderr: "" });

      test(`${program} create ${kind}`, { skip }, () => {
        const words = prefix === "own" ? own : real;
        if (words !== undefined) return says(["create", ...words.replace("NAME", name).split(" ")], `${shown}/${name} created\n`);
        const input = JSON.stringify({ ...manifest, metadata: { name } });
        return says(["create", "-f", "-"], `${shown}/${name} created\n`, input);
      });

      test(`${program} get ${kind}`, { skip }, async () => {
        await says(["get", kind, name, "-o", "name"], `${shown}/${name}\n`);
        assert.match((await run(["get", kind, name])).stdout, new RegExp(`^NAME +.*\\n${name} +`));
      });

      test(`${program} patch ${kind}`, { skip }, async () => {
        await says(["patch", kind, name, "-p", '{"metadata":{"labels":{"patched":"yes"}}}'], `${shown}/${name} patched\n`);
        await says(["get", kind, "-l", "patched=yes", "-o", "name"], `${shown}/${name}\n`);
      });

      if (kind === "node" && prefix === "own")
        test("tiphys kubectl create node makes a simulated node that runs pods", async () => {
          await says(["wait", "--for=condition=Ready", `node/${name}`, "--timeout=90s"], `node/${name} condition met\n`);
          await says(
            ["apply", "-f", "-"],
            "pod/on-it created\n",
            JSON.stringify({
              apiVersion: "v1",
              kind: "Pod",
              metadata: { name: "on-it" },
              spec: { nodeName: name, containers: [{ name: "app", image: "nginx" }] },
            }),
          );
          await says(["wait", "--for=condition=Ready", "pod/on-it", "--timeout=90s"], "pod/on-it condition met\n");
          await says(["delete", "pod", "on-it", "--timeout=90s"], 'pod "on-it" deleted\n');
        });

      test(`${program} delete ${kind}`, { skip }, async () => {
        await says(["delete", kind, name, "--timeout=90s"], `${shown} "${name}" deleted\n`);
        const gone = await run(["get", kind, name]);
        assert.deepEqual([gone.code, gone.stdout], [1, ""]);
        assert.match(gone.stderr, new RegExp(`^Error from server \\(NotFound\\): ${kind}s(\\.apps)? "${name}" not found\\n$`));
      });
    }

  test("tiphys kubectl create pod passes environment, port, labels and arguments on", async () => {
    const words =
      "create pod p --image=nginx --env=A=1,2 --port=80 --labels=a=b --restart=Never --dry-run=client -o json -- sleep 5";
    const { stdout } = await ownKubectl(cluster.info.kubeconfig, words.split(" "));
    const { metadata, spec } = JSON.parse(stdout) as { metadata: object; spec: object };
    assert.deepEqual(metadata, { name: "p", namespace: "default", labels: { a: "b" } });
    assert.deepEqual(spec, {
      restartPolicy: "Never",
      containers: [
        {
          name: "p",
          image: "nginx",
          env: [{ name: "A", value: "1,2" }],
          ports: [{ containerPort: 80 }],
          args: ["sleep", "5"],
          resources: {},
        },
      ],
    });
  });
});
