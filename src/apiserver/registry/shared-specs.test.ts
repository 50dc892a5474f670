// Pods with equal specs share them: nothing of an answer may show it.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { pods as podType, SharedValues, schemaOfKind } from "#api";
import { decodeObject } from "../body.ts";
import { serviceAccount, type TestServer, testServer } from "../testing/server.ts";

const pods = "/api/v1/namespaces/default/pods";
const container = { name: "c", image: "i:1" };

interface Case {
  readonly name: string;
  readonly spec: unknown;
  readonly metadata?: object;
  readonly query?: Record<string, string>;
}

const cases: readonly Case[] = [
  { name: "a plain one", spec: { containers: [container] } },
  { name: "one without a token", spec: { containers: [container], automountServiceAccountToken: false } },
  { name: "one of a priority class", spec: { containers: [container], priorityClassName: "system-node-critical" } },
  { name: "one with tolerations", spec: { containers: [container], tolerations: [{ operator: "Exists" }] } },
  { name: "one whose grace period is mended", spec: { containers: [container], terminationGracePeriodSeconds: -1 } },
  {
    name: "one that warns",
    spec: { containers: [container], nodeSelector: { "beta.kubernetes.io/os": "linux" }, imagePullSecrets: [{ name: "" }] },
    metadata: { annotations: { "scheduler.alpha.kubernetes.io/critical-pod": "" } },
  },
  {
    name: "one whose annotation warns",
    spec: { containers: [container] },
    metadata: { annotations: { "scheduler.alpha.kubernetes.io/critical-pod": "" } },
  },
  {
    name: "one whose annotation sets a field",
    spec: { containers: [container] },
    metadata: { annotations: { "container.apparmor.security.beta.kubernetes.io/c": "runtime/default" } },
  },
  { name: "one that is invalid", spec: { containers: [{ name: "C", image: "" }], restartPolicy: "Sometimes" } },
  { name: "one with unknown fields", spec: { containers: [{ ...container, nope: 1 }], nope: 2 } },
  {
    name: "one with unknown fields, strictly",
    spec: { containers: [container], nope: 2 },
    query: { fieldValidation: "Strict" },
  },
  { name: "one with wrong types", spec: { containers: [container], hostNetwork: "yes" } },
  { name: "one with nulls", spec: { containers: null, nodeSelector: null } },
  { name: "one without content", spec: {} },
  { name: "one that is no object", spec: "x" },
  {
    name: "one with a resource claim and an integer beyond 2^53",
    spec: { containers: [container], activeDeadlineSeconds: 2n ** 60n },
  },
];

async function started(): Promise<TestServer> {
  const cluster = await testServer();
  await cluster.call("POST", "/api/v1/namespaces/default/serviceaccounts", serviceAccount);
  return cluster;
}

/** The answer without what differs between any two pods. */
async function created(cluster: TestServer, { spec, metadata, query = {} }: Case, name: string): Promise<string> {
  const body = { apiVersion: "v1", kind: "Pod", metadata: { name, ...metadata }, spec };
  const { code, object, warnings } = await cluster.call("POST", pods, body, { query });
  const masked = { ...object.metadata, name: "", uid: "", resourceVersion: "" };
  const text = JSON.stringify({ code, object: { ...object, metadata: masked }, warnings });
  return text.replaceAll(/kube-api-access-\w{5}/g, "kube-api-access-").replaceAll(name, "NAME");
}

describe("pods with a spec that was there before", () => {
  for (const each of cases) {
    it(`create() answers ${each.name} as if it were the first`, async () => {
      await using fresh = await started();
      await using used = await started();
      // others before it: of the same spec with other metadata, and of other specs
      await created(used, { ...each, metadata: {}, query: {} }, "earlier");
      for (const [i, other] of cases.entries()) await created(used, other, `other-${i}`);
      assert.equal(await created(used, each, "pod"), await created(fresh, each, "pod"));
    });
  }

  it("create() takes the account, the priority class and the runtime class as they are then", async () => {
    await using cluster = await started();
    const spec = { containers: [container] };
    const body = (name: string): object => ({ apiVersion: "v1", kind: "Pod", metadata: { name }, spec });
    const first = (await cluster.call("POST", pods, body("first"))).object.spec;
    assert.equal(first.priority, 0);
    assert.equal(first.volumes.length, 1);
    await cluster.call("POST", "/apis/scheduling.k8s.io/v1/priorityclasses", {
      apiVersion: "scheduling.k8s.io/v1",
      kind: "PriorityClass",
      metadata: { name: "usual" },
      value: 7,
      globalDefault: true,
    });
    await cluster.call(
      "PATCH",
      "/api/v1/namespaces/default/serviceaccounts/default",
      { automountServiceAccountToken: false, imagePullSecrets: [{ name: "key" }] },
      { contentType: "application/merge-patch+json" },
    );
    const second = (await cluster.call("POST", pods, body("second"))).object.spec;
    assert.equal(second.priority, 7);
    assert.equal(second.priorityClassName, "usual");
    assert.equal(second.volumes, undefined);
    assert.deepEqual(second.imagePullSecrets, [{ name: "key" }]);
  });

  it("create() warns of every pod's own annotations", async () => {
    await using cluster = await started();
    const annotated = { annotations: { "scheduler.alpha.kubernetes.io/critical-pod": "" } };
    const warnings = async (name: string, metadata: object): Promise<unknown> =>
      (
        await cluster.call("POST", pods, {
          apiVersion: "v1",
          kind: "Pod",
          metadata: { name, ...metadata },
          spec: { containers: [container] },
        })
      ).warnings;
    const text =
      'metadata.annotations[scheduler.alpha.kubernetes.io/critical-pod]: non-functional in v1.16+; use the "priorityClassName" field instead';
    assert.equal(await warnings("one", {}), undefined);
    assert.deepEqual(await warnings("two", annotated), [text]);
    assert.equal(await warnings("three", {}), undefined);
    assert.deepEqual(await warnings("four", annotated), [text]);
  });

  it("update() of one leaves the others as they are", async () => {
    await using cluster = await started();
    const spec = { containers: [container] };
    for (const name of ["one", "two"])
      await cluster.call("POST", pods, { apiVersion: "v1", kind: "Pod", metadata: { name }, spec });
    const merge = { contentType: "application/merge-patch+json" };
    await cluster.call("PATCH", `${pods}/one`, { spec: { activeDeadlineSeconds: 5 } }, merge);
    assert.equal((await cluster.call("GET", `${pods}/one`)).object.spec.activeDeadlineSeconds, 5);
    assert.equal((await cluster.call("GET", `${pods}/two`)).object.spec.activeDeadlineSeconds, undefined);
  });

  it("decodeObject() sees how a number was written", () => {
    const schema = schemaOfKind(podType);
    assert.ok(schema !== undefined);
    const expected = { ...podType, schema, strictKind: false, specs: new SharedValues() };
    const decode = (deadline: string): unknown => {
      const bytes = Buffer.from(`{"kind":"Pod","apiVersion":"v1","spec":{"containers":[],"activeDeadlineSeconds":${deadline}}}`);
      return decodeObject({ contentType: "application/json", bytes }, expected, "Strict", () => {});
    };
    assert.deepEqual(decode("5"), decode("5"));
    assert.throws(() => decode("5.0"), /cannot unmarshal number 5.0 into Go struct field PodSpec.spec.activeDeadlineSeconds/);
  });
});
