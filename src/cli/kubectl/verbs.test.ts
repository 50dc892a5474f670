import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { apiError, invalid, invalidValue, notFound, type Pod, required, type Status } from "#api";
import { servicePort } from "./create-services.ts";
import { containerName } from "./create-workloads.ts";
import { type DiscoveredGroups, preferred, readGroups, resourceNamed, resourcesNamed } from "./discovery.ts";
import { exitCode } from "./exec.ts";
import { describeError, eachOf, Failure } from "./failure.ts";
import { objectsIn } from "./files.ts";
import { readChanges } from "./label.ts";
import { bestFirst } from "./pods-of.ts";
import { viewers } from "./rollout.ts";
import type { AnyObject } from "./session.ts";
import { readTargets } from "./targets.ts";
import { readGoal } from "./wait.ts";

const resource = (name: string, kind: string, more: object = {}) => ({
  resource: name,
  responseKind: { kind },
  scope: "Namespaced" as const,
  singularResource: kind.toLowerCase(),
  verbs: ["get"],
  ...more,
});
const groups: DiscoveredGroups = {
  items: [
    {
      metadata: {},
      versions: [
        {
          version: "v1",
          resources: [resource("pods", "Pod", { shortNames: ["po"], categories: ["all"] }), resource("events", "Event")],
        },
      ],
    },
    {
      metadata: { name: "apps" },
      versions: [
        { version: "v1", resources: [resource("deployments", "Deployment", { shortNames: ["deploy"], categories: ["all"] })] },
      ],
    },
    {
      metadata: { name: "events.k8s.io" },
      versions: [
        { version: "v1", resources: [resource("events", "Event")] },
        { version: "v1beta1", resources: [resource("events", "Event")] },
      ],
    },
  ],
};
const resources = readGroups(groups);
const shown = ({ plural, group, version }: { plural: string; group: string; version: string }) => `${plural}.${version}.${group}`;

describe("resources by name", () => {
  const cases: readonly [string, string][] = [
    ["po", "pods.v1."],
    ["Pod", "pods.v1."],
    ["deploy.apps", "deployments.v1.apps"],
    ["deployments.v1.apps", "deployments.v1.apps"],
    ["event", "events.v1."],
    ["events.events.k8s.io", "events.v1.events.k8s.io"],
    ["events.v1beta1.events.k8s.io", "events.v1beta1.events.k8s.io"],
  ];
  for (const [name, wanted] of cases)
    test(`${name} is ${wanted}`, () => assert.equal(shown(resourceNamed(resources, name)), wanted));

  test("a category is all of its resources, each once", () => {
    assert.deepEqual(resourcesNamed(resources, "all").map(shown), ["pods.v1.", "deployments.v1.apps"]);
    assert.equal(preferred(resources).length, 4);
  });

  test("what nobody has is refused", () =>
    assert.throws(() => resourceNamed(resources, "widgets"), {
      message: 'error: the server doesn\'t have a resource type "widgets"',
    }));

  test("types and names are read as a list of both, or as pairs", () => {
    const names = (...words: string[]) => readTargets(resources, words).map(({ type, name }) => `${type.plural} ${name ?? "*"}`);
    assert.deepEqual(names("po,deploy", "a", "b"), ["pods a", "pods b", "deployments a", "deployments b"]);
    assert.deepEqual(names("po/a", "deploy/b"), ["pods a", "deployments b"]);
    assert.deepEqual(names("po,deploy"), ["pods *", "deployments *"]);
    assert.throws(() => names("po/a", "deploy"), /no need to specify a resource type as a separate argument/);
    assert.throws(() => names("po/a/b"), /must have a single resource and name/);
  });
});

describe("errors as kubectl prints them", () => {
  const pods = { group: "", plural: "pods" };
  const cases: readonly [string, unknown, string][] = [
    ["of the server", notFound(pods, "x"), 'Error from server (NotFound): pods "x" not found'],
    ["without a reason", apiError("", "broken"), "Error from server: broken"],
    ["of nobody", apiError("Unauthorized", "Unauthorized"), "error: You must be logged in to the server (Unauthorized)"],
    [
      "one invalid field",
      invalid({ group: "", kind: "Pod" }, "x", [required("spec.a", "")]),
      'The Pod "x" is invalid: spec.a: Required value',
    ],
    [
      "several, each once",
      invalid({ group: "apps", kind: "Deployment" }, "x", [required("a"), required("a"), invalidValue("b", 1, "too odd")]),
      'The Deployment "x" is invalid: \n* a: Required value\n* b: Invalid value: 1: too odd\n',
    ],
    [
      "a refused connection",
      new Error("Cannot reach", { cause: Object.assign(new Error("no"), { code: "ECONNREFUSED" }) }),
      "The connection to the server host:1 was refused - did you specify the right host or port?",
    ],
    ["anything else", new Error("odd"), "error: odd"],
  ];
  for (const [name, error, wanted] of cases) test(name, () => assert.equal(describeError(error, "https://host:1"), wanted));

  test("what fails does not keep the others from being tried", async () => {
    const tried: number[] = [];
    const failing = eachOf([1, 2, 3], async (n) => {
      tried.push(n);
      if (n !== 2) throw new Failure(`no ${n}`);
    });
    await assert.rejects(failing, (error) => describeError(error, undefined) === "no 1\nno 3");
    assert.deepEqual(tried, [1, 2, 3]);
  });
});

describe("files", () => {
  test("YAML of several documents, JSON, and lists hold objects", () => {
    const names = (text: string) => objectsIn(text, "f").map(({ kind, metadata }) => `${kind} ${metadata.name}`);
    assert.deepEqual(
      names(
        "---\n# nothing\n---\napiVersion: v1\nkind: Pod\nmetadata: {name: a}\n---\napiVersion: v1\nkind: Pod\nmetadata: {name: b}\n",
      ),
      ["Pod a", "Pod b"],
    );
    assert.deepEqual(
      names('{"apiVersion":"v1","kind":"List","items":[{"apiVersion":"v1","kind":"Pod","metadata":{"name":"a"}}]}'),
      ["Pod a"],
    );
    assert.deepEqual(names('{"apiVersion":"v1","kind":"PodList","items":[{"metadata":{"name":"a"}}]}'), ["Pod a"]);
  });

  test("what is no object is refused with what it lacks", () => {
    assert.throws(
      () => objectsIn("a: 1", "f"),
      /error validating "f": error validating data: \[apiVersion not set, kind not set\]/,
    );
    assert.throws(() => objectsIn("kind: Pod", "f"), /error validating data: apiVersion not set/);
    assert.throws(() => objectsIn("just text", "f"), /invalid object to validate/);
    assert.throws(() => objectsIn("a: [", "f"), /error: error parsing f: yaml/);
  });
});

describe("words of single commands", () => {
  test("label: a=b sets, a- removes, both at once is refused", () => {
    assert.deepEqual(readChanges(["a=b", "c=", "d-"], "label"), { set: { a: "b", c: "" }, remove: ["d"] });
    assert.throws(() => readChanges(["a=b", "a-"], "label"), /can not both modify and remove a label in the same command/);
    assert.throws(() => readChanges(["a"], "label"), /invalid label spec: a/);
  });

  test("create service: ports", () => {
    assert.deepEqual(servicePort("80:http", 0), { name: "80-http", port: 80, protocol: "TCP", targetPort: "http" });
    assert.deepEqual(servicePort("80", 30_080), { name: "80", port: 80, protocol: "TCP", targetPort: 80, nodePort: 30_080 });
    for (const text of ["x", "70000", "1:2:3", "80:"]) assert.throws(() => servicePort(text, 0), /invalid --tcp/);
  });

  test("create deployment: a container is called as its image", () => {
    assert.equal(containerName("registry.example:5000/a/My_Image:1.2@sha256:abc"), "my-image");
  });

  test("exec: the command's exit code is ours", () => {
    const failed: Status = {
      metadata: {},
      status: "Failure",
      reason: "NonZeroExitCode",
      details: { causes: [{ reason: "ExitCode", message: "7" }] },
    };
    assert.equal(exitCode({ metadata: {}, status: "Success" }), 0);
    assert.throws(
      () => exitCode(failed),
      (error) => error instanceof Failure && error.exitCode === 7 && error.message === "command terminated with exit code 7",
    );
    assert.throws(() => exitCode(undefined), /closed before the command had ended/);
    assert.throws(() => exitCode({ metadata: {}, status: "Failure", message: "no such file" }), {
      message: "error: no such file",
      exitCode: 1,
    });
  });
});

test("logs and exec of a workload choose the pod that has been well for longest", () => {
  const pod = (name: string, nodeName: string, phase: string, readySince?: string, restartCount = 0): Pod => ({
    metadata: { name, creationTimestamp: "2026-01-01T00:00:00Z" },
    spec: { nodeName, containers: [] },
    status: {
      phase,
      conditions: readySince === undefined ? [] : [{ type: "Ready", status: "True", lastTransitionTime: readySince }],
      containerStatuses: [{ name: "a", image: "", imageID: "", ready: true, restartCount }],
    },
  });
  const order = [
    pod("long", "n", "Running", "2026-01-01T00:00:01Z"),
    pod("restarted", "n", "Running", "2026-01-01T00:00:02Z", 3),
    pod("short", "n", "Running", "2026-01-01T00:00:02Z"),
    pod("unready", "n", "Running"),
    pod("pending", "n", "Pending"),
    pod("unassigned", "", "Pending"),
  ];
  assert.deepEqual([...order].reverse().sort(bestFirst), order);
});

describe("wait --for", () => {
  const object = {
    metadata: { generation: 2 },
    status: {
      phase: "Running",
      conditions: [
        { type: "Ready", status: "True" },
        { type: "Old", status: "True", observedGeneration: 1 },
      ],
    },
  } as unknown as AnyObject;
  const cases: readonly [string, boolean][] = [
    ["condition=Ready", true],
    ["condition=ready=true", true],
    ["condition=Ready=False", false],
    ["condition=Old", false],
    ["jsonpath={.status.phase}=Running", true],
    ["jsonpath=.status.phase=Pending", false],
    ["jsonpath={.status.phase}", true],
    ["jsonpath={.status.nothing}", false],
    ['jsonpath={.status.conditions[?(@.type=="Ready")].status}=True', true],
  ];
  for (const [text, wanted] of cases)
    test(`${text} ${wanted ? "holds" : "does not hold"}`, () => {
      const goal = readGoal(text);
      assert.equal(goal.kind === "state" && goal.holds(object), wanted);
    });

  test("anything else is refused", () => {
    assert.throws(() => readGoal(""), /unrecognized condition: ""/);
    assert.throws(() => readGoal("jsonpath={.a}="), /has to have a value after equal sign/);
  });
});

describe("rollout status", () => {
  const at = (kind: string, spec: object, status: object | undefined, generation = 1) =>
    viewers[kind]?.({ metadata: { name: "w", generation }, spec, status } as never);
  const cases: readonly [string, object, object | undefined, string, boolean][] = [
    ["Deployment", { replicas: 2 }, undefined, "Waiting for deployment spec update to be observed...\n", false],
    [
      "Deployment",
      { replicas: 2 },
      { observedGeneration: 1, updatedReplicas: 1 },
      'Waiting for deployment "w" rollout to finish: 1 out of 2 new replicas have been updated...\n',
      false,
    ],
    [
      "Deployment",
      { replicas: 2 },
      { observedGeneration: 1, updatedReplicas: 2, replicas: 3 },
      'Waiting for deployment "w" rollout to finish: 1 old replicas are pending termination...\n',
      false,
    ],
    [
      "Deployment",
      { replicas: 2 },
      { observedGeneration: 1, updatedReplicas: 2, replicas: 2, availableReplicas: 1 },
      'Waiting for deployment "w" rollout to finish: 1 of 2 updated replicas are available...\n',
      false,
    ],
    ["Deployment", { replicas: 0 }, { observedGeneration: 1 }, 'deployment "w" successfully rolled out\n', true],
    [
      "DaemonSet",
      {},
      { observedGeneration: 1, desiredNumberScheduled: 3, updatedNumberScheduled: 3, numberAvailable: 2 },
      'Waiting for daemon set "w" rollout to finish: 2 of 3 updated pods are available...\n',
      false,
    ],
    ["DaemonSet", {}, { observedGeneration: 1 }, 'daemon set "w" successfully rolled out\n', true],
    ["StatefulSet", { replicas: 3 }, { observedGeneration: 1, readyReplicas: 1 }, "Waiting for 2 pods to be ready...\n", false],
    [
      "StatefulSet",
      { replicas: 1 },
      { observedGeneration: 1, readyReplicas: 1, updatedReplicas: 0, updateRevision: "b", currentRevision: "a" },
      "waiting for statefulset rolling update to complete 0 pods at revision b...\n",
      false,
    ],
    [
      "StatefulSet",
      { replicas: 1 },
      { observedGeneration: 1, replicas: 1, readyReplicas: 1, updateRevision: "a", currentRevision: "a" },
      "statefulset rolling update complete 1 pods at revision a...\n",
      true,
    ],
  ];
  for (const [kind, spec, status, text, done] of cases)
    test(`${kind}: ${text.trim()}`, () => assert.deepEqual(at(kind, spec, status), { text, done }));

  test("a deployment over its deadline has failed", () => {
    const conditions = [{ type: "Progressing", reason: "ProgressDeadlineExceeded" }];
    assert.throws(
      () => at("Deployment", {}, { observedGeneration: 1, conditions }),
      /deployment "w" exceeded its progress deadline/,
    );
  });
});
