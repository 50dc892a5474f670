// The shape that Go's decoder and encoder give an object.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { decodeTyped, type JsonValue, objectSchema, schemaOfKind, withoutEmptyLists } from "../mod.ts";

const read = (kind: string, value: JsonValue, group = "", version = "v1") => {
  const schema = schemaOfKind({ group, version, kind });
  assert.ok(schema !== undefined);
  return decodeTyped(schema, value);
};
const spec = (name: string, value: JsonValue) => decodeTyped(objectSchema(name), value).object;

describe("decodeTyped()", () => {
  it("writes what Go always writes, and leaves out what Go leaves out", () => {
    const { object } = read("Pod", {
      apiVersion: "v1",
      kind: "Pod",
      metadata: { name: "p", labels: {}, finalizers: [], generation: 0 },
      spec: { containers: [{ name: "c", image: "", env: [] }], hostNetwork: false, nodeName: "" },
    });
    assert.deepEqual(object, {
      apiVersion: "v1",
      kind: "Pod",
      metadata: { name: "p" },
      spec: { containers: [{ name: "c", resources: {} }] },
      status: {},
    });
  });

  it("keeps zero where Go has a pointer", () => {
    assert.deepEqual(
      spec("io.k8s.api.core.v1.PodSpec", {
        containers: [],
        automountServiceAccountToken: false,
        terminationGracePeriodSeconds: 0,
        priority: 0,
        securityContext: {},
      }),
      {
        containers: [],
        automountServiceAccountToken: false,
        terminationGracePeriodSeconds: 0,
        priority: 0,
        securityContext: {},
      },
    );
  });

  it("takes null for absent, and for zero in lists and maps", () => {
    assert.deepEqual(read("ConfigMap", { metadata: null, data: { a: null }, immutable: null }).object, {
      metadata: {},
      data: { a: "" },
    });
    assert.deepEqual(spec("io.k8s.api.core.v1.PodSpec", { containers: [null], nodeSelector: null }), {
      containers: [{ name: "", resources: {} }],
    });
  });

  it("fills in null for a list that is always written, and keeps an empty one", () => {
    const role = (value: object): unknown =>
      read("Role", { metadata: { name: "r" }, ...value }, "rbac.authorization.k8s.io").object["rules"];
    assert.deepEqual([{}, { rules: null }, { rules: [] }].map(role), [null, null, []]);
  });

  it("withoutEmptyLists() leaves what protobuf does, and shares the rest", () => {
    const schema = objectSchema("io.k8s.api.core.v1.PodSpec");
    const volumes = [{ name: "v", emptyDir: {} }];
    const spec = { volumes, tolerations: [], containers: [], affinity: { nodeAffinity: {}, podAffinity: {} } };
    const kept: { readonly volumes: unknown } = withoutEmptyLists<{ readonly volumes: unknown }>(schema, spec);
    assert.deepEqual(kept, { volumes, containers: null, affinity: spec.affinity });
    assert.equal(kept.volumes, volumes);
    assert.equal(withoutEmptyLists(schema, kept), kept);
    const nested = { volumes: [{ name: "v", projected: { sources: [] } }, { name: "w" }], nodeSelector: { a: "b" } };
    assert.deepEqual(withoutEmptyLists(schema, nested), {
      volumes: [{ name: "v", projected: { sources: null } }, { name: "w" }],
      nodeSelector: { a: "b" },
    });
  });

  it("gives quantities and times their canonical text", () => {
    assert.deepEqual(spec("io.k8s.api.core.v1.ResourceRequirements", { limits: { cpu: 1.5, memory: "1024Mi" } }), {
      limits: { cpu: "1500m", memory: "1Gi" },
    });
    assert.deepEqual(spec("io.k8s.api.core.v1.ContainerStateRunning", { startedAt: "2024-01-01T02:00:00.7+02:00" }), {
      startedAt: "2024-01-01T00:00:00Z",
    });
    assert.deepEqual(spec("io.k8s.api.coordination.v1.LeaseSpec", { renewTime: "2024-01-01T02:00:00.123456+02:00" }), {
      renewTime: "2024-01-01T00:00:00.123456Z",
    });
  });

  it("drops unknown fields and reports them with their path; names are compared exactly", () => {
    const { object, problems } = read("ConfigMap", {
      Metadata: {},
      metadata: { name: "a", nope: 1, ownerReferences: [{ apiVersion: "v1", kind: "K", name: "n", uid: "u", zz: 1 }] },
      data: {},
    });
    assert.deepEqual(
      problems,
      ["Metadata", "metadata.nope", "metadata.ownerReferences[0].zz"].map((path) => `unknown field "${path}"`),
    );
    assert.deepEqual(object, {
      metadata: { name: "a", ownerReferences: [{ apiVersion: "v1", kind: "K", name: "n", uid: "u" }] },
    });
  });

  it("reports at most 100 unknown fields", () => {
    assert.equal(
      read("ConfigMap", Object.fromEntries(Array.from({ length: 300 }, (_item, at) => [`x${at}`, 1]))).problems.length,
      100,
    );
  });

  it("keeps any JSON where the type takes any, and schemas inside schemas lose unknown fields without a word", () => {
    const { object, problems } = decodeTyped(
      objectSchema("io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaProps"),
      { default: [{ a: null }], items: { type: "string", nope: 1 }, additionalProperties: true },
    );
    assert.deepEqual(object, { default: [{ a: null }], items: { type: "string" }, additionalProperties: true });
    assert.deepEqual(problems, []);
  });

  it("keeps integers of 64 bits, and refuses what is larger", () => {
    assert.equal(
      spec("io.k8s.api.core.v1.PodSecurityContext", { runAsUser: 9223372036854775807n as unknown as number })
        .runAsUser as unknown,
      9223372036854775807n,
    );
    assert.throws(() => spec("io.k8s.api.core.v1.PodSecurityContext", { runAsUser: 9223372036854775808n as unknown as number }), {
      message:
        "json: cannot unmarshal number 9223372036854775808 into Go struct field PodSecurityContext.runAsUser of type int64",
    });
  });

  it("names the type when the whole is of the wrong kind", () => {
    assert.throws(() => read("Pod", [] as unknown as JsonValue), {
      name: "DecodeError",
      message: "json: cannot unmarshal array into Go value of type v1.Pod",
    });
  });

  it("does not change its input", () => {
    const input = { metadata: { name: "a", nope: 1 }, data: { k: null } };
    const before = structuredClone(input);
    read("ConfigMap", input);
    assert.deepEqual(input, before);
  });

  it("keeps a map key __proto__ as a key", () => {
    const { object } = read("ConfigMap", JSON.parse('{"data":{"__proto__":"x"}}') as JsonValue);
    assert.deepEqual(Object.entries(object.data as object), [["__proto__", "x"]]);
  });
});
