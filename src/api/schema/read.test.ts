// The generated facts, as schemas.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  builtInKinds,
  builtInResources,
  objectSchema,
  objectSchemaNames,
  type ResourceType,
  type Schema,
  schemaOfKind,
} from "../mod.ts";

const field = (type: string, name: string) => {
  const found = objectSchema(type).fields[name];
  assert.ok(found !== undefined, `${type}.${name}`);
  return found;
};

describe("the schemas of built-in types", () => {
  it("have every kind that is served, its list, and the kinds of its subresources", () => {
    for (const resource of builtInResources as readonly ResourceType[]) {
      assert.ok(schemaOfKind(resource) !== undefined, resource.kind);
      if (resource.verbs.includes("list"))
        assert.ok(schemaOfKind({ ...resource, kind: `${resource.kind}List` }) !== undefined, `${resource.kind}List`);
      for (const sub of Object.values(resource.subresources)) assert.ok(schemaOfKind(sub) !== undefined, sub.kind);
    }
    assert.ok(Object.keys(builtInKinds()).length > 150);
    assert.equal(schemaOfKind({ group: "example.com", version: "v1", kind: "Widget" }), undefined);
    assert.equal(schemaOfKind({ group: "", version: "v1", kind: "constructor" }), undefined);
  });

  it("resolve wholly: every field of every type has a shape", () => {
    const seen = new Set<Schema>();
    const walk = (schema: Schema): void => {
      if (seen.has(schema)) return;
      seen.add(schema);
      if (schema.kind === "object") for (const { schema: inner } of Object.values(schema.fields)) walk(inner);
      if (schema.kind === "list") walk(schema.items);
      if (schema.kind === "map") walk(schema.values);
    };
    for (const name of objectSchemaNames()) walk(objectSchema(name));
    assert.ok(seen.size > 1000);
  });

  it("know lists by key, patch strategies, Go types and protobuf numbers", () => {
    const containers = field("io.k8s.api.core.v1.PodSpec", "containers");
    assert.equal(containers.required, true);
    assert.deepEqual(containers.patchStrategy, ["merge"]);
    assert.equal(containers.patchMergeKey, "name");
    assert.equal(containers.number, 2);
    assert.equal(containers.goType, "[]v1.Container");
    assert.deepEqual(
      { ...containers.schema, items: undefined },
      { kind: "list", items: undefined, listType: "map", mapKeys: ["name"] },
    );
    const ports = field("io.k8s.api.core.v1.Container", "ports").schema;
    assert.deepEqual(ports.kind === "list" && ports.mapKeys, ["containerPort", "protocol"]);
    assert.deepEqual(field("io.k8s.api.core.v1.PodSpec", "volumes").patchStrategy, ["merge", "retainKeys"]);
    const finalizers = field("io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta", "finalizers").schema;
    assert.equal(finalizers.kind === "list" && finalizers.listType, "set");
  });

  it("know enums and defaults", () => {
    const protocol = field("io.k8s.api.core.v1.ContainerPort", "protocol");
    assert.equal(protocol.default, "TCP");
    assert.deepEqual(protocol.schema.kind === "scalar" && [...(protocol.schema.enum ?? [])].sort(), ["SCTP", "TCP", "UDP"]);
  });

  it("know atomic types, and the field that is merged although its type is atomic", () => {
    assert.equal(objectSchema("io.k8s.api.core.v1.ObjectReference").atomic, true);
    const claim = field("io.k8s.api.core.v1.PersistentVolumeSpec", "claimRef").schema;
    assert.equal(claim.kind === "object" && claim.atomic, false);
  });

  it("are shared: the same object for the same type, recursive types included", () => {
    const props = objectSchema("io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaProps");
    assert.equal(props, objectSchema(props.name));
    assert.equal(props.fields.not?.schema, props);
  });
});
