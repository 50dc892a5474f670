// Which schemas a definition may have, with upstream's words for those it may not.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Props } from "./props.ts";
import { schemaErrors } from "./schema-rules.ts";
import { Validator } from "./validate.ts";
import { conversionErrors, formatWarnings, versionErrors } from "./version-rules.ts";

const root = (more: object): Props => ({ type: "object", ...more });
const a = (inner: object): Props => root({ properties: { a: inner } });
const texts = (errors: readonly { field: string; detail?: string; type: string }[]): string[] =>
  errors.map(({ field, detail }) => `${field}: ${detail}`);

describe("schemaErrors()", () => {
  for (const [name, props, expected] of [
    ["a plain schema", a({ type: "string", pattern: "^x" }), []],
    ["a root that is no object", { type: "string" }, ["@.type: must be object at the root"]],
    ["a nullable root", root({ nullable: true }), ["@.nullable: nullable cannot be true at the root"]],
    ["a field without a type", a({}), ["@.properties[a].type: must not be empty for specified object fields"]],
    ["a field of any type that says so", a({ "x-kubernetes-preserve-unknown-fields": true }), []],
    ["a reference", a({ $ref: "x" }), ["@.properties[a].$ref: $ref is not supported"]],
    ["empty definitions", a({ type: "object", definitions: {} }), []],
    [
      "properties beside additional ones",
      a({ type: "object", properties: { b: { type: "string" } }, additionalProperties: { type: "string" } }),
      ["@.properties[a].additionalProperties: additionalProperties and properties are mutual exclusive"],
    ],
    ["no additional properties", a({ type: "object", additionalProperties: false }), []],
    ["values under anyOf", a({ type: "string", anyOf: [{ minLength: 1 }, { pattern: "^x" }] }), []],
    [
      "a type under allOf",
      a({ type: "string", allOf: [{ type: "string" }] }),
      ["@.properties[a].allOf[0].type: must be empty to be structural"],
    ],
    [
      "the one pattern of types under anyOf",
      a({ "x-kubernetes-int-or-string": true, anyOf: [{ type: "integer" }, { type: "string" }] }),
      [],
    ],
    [
      "an embedded resource without fields",
      a({ type: "object", "x-kubernetes-embedded-resource": true }),
      [
        "@.properties[a].properties: must not be empty if x-kubernetes-embedded-resource is true without x-kubernetes-preserve-unknown-fields",
      ],
    ],
    ["a restricted name", root({ properties: { metadata: { type: "object", properties: { name: { type: "string" } } } } }), []],
    [
      "restricted labels",
      root({ properties: { metadata: { type: "object", properties: { labels: { type: "object" } } } } }),
      [
        "@.properties[metadata]: must not specify anything other than name and generateName, but metadata is implicitly specified",
      ],
    ],
    [
      "a default for the kind",
      root({ properties: { kind: { type: "string", default: "Q" } } }),
      ["@.properties[kind].default: must not be set in top-level kind"],
    ],
    [
      "a map type of a text",
      a({ type: "string", "x-kubernetes-map-type": "atomic" }),
      ["@.properties[a].type: must be object if x-kubernetes-map-type is specified"],
    ],
    [
      "a keyed list whose key may be missing",
      a({
        type: "array",
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["k"],
        items: { type: "object", properties: { k: { type: "string" } } },
      }),
      [
        "@.properties[a].items.properties[k].default: this property is in x-kubernetes-list-map-keys, so it must have a default or be a required property",
      ],
    ],
    [
      "a default of another type",
      a({ type: "string", default: 1 }),
      ['@.properties[a].default:  in body must be of type string: "integer"'],
    ],
    [
      "a default with an unknown field",
      a({ type: "object", properties: { b: { type: "string" } }, default: { c: 1 } }),
      ["@.properties[a].default: must not have unknown fields"],
    ],
    [
      "a default without what is required",
      a({ type: "object", properties: { b: { type: "string" } }, required: ["b"], default: {} }),
      ["@.properties[a].default.b: "],
    ],
  ] as const)
    it(`${expected.length === 0 ? "takes" : "refuses"} ${name}`, () =>
      assert.deepEqual(texts(schemaErrors(props as Props, "@") as never), expected));
});

describe("versionErrors()", () => {
  const version = (name: string, props: Props, more: object = {}): never =>
    ({ name, served: true, storage: name === "v1", schema: { openAPIV3Schema: props }, ...more }) as never;
  const check = (...versions: never[]): string[] => {
    const { own, shared } = versionErrors({ versions } as never);
    return texts([...own, ...shared] as never);
  };

  it("names what all versions share as if there were one", () => {
    const expected = ["spec.validation.openAPIV3Schema.properties[a].type: must not be empty for specified object fields"];
    assert.deepEqual(check(version("v1", a({}))), expected);
    assert.deepEqual(check(version("v1", a({})), version("v2", a({}))), expected);
  });

  it("names the version where they differ", () =>
    assert.deepEqual(check(version("v1", a({ type: "string" })), version("v2", a({}))), [
      "spec.versions[1].schema.openAPIV3Schema.properties[a].type: must not be empty for specified object fields",
    ]));

  it("holds the paths of scale to spec and status", () => {
    const scale = { specReplicasPath: ".status.x", statusReplicasPath: "status", labelSelectorPath: ".metadata.x" };
    assert.deepEqual(check(version("v1", root({}), { subresources: { scale } })), [
      "spec.subresources.scale.specReplicasPath: should be a json path under .spec",
      "spec.subresources.scale.statusReplicasPath: must be a simple json path starting with .",
      "spec.subresources.scale.labelSelectorPath: should be a json path under either .spec or .status",
    ]);
  });

  it("lets only scalar fields of the schema be selected", () => {
    const fields = [{ jsonPath: ".a" }, { jsonPath: ".b" }, { jsonPath: ".a" }];
    assert.deepEqual(check(version("v1", a({ type: "string" }), { selectableFields: fields })), [
      "spec.selectableFields[1].jsonPath: is an invalid path: does not refer to a valid field",
      "spec.selectableFields[2].jsonPath: ",
    ]);
  });

  it("refuses conversion by webhook, and settings that belong to it", () => {
    const webhook = { clientConfig: { url: "https://x.example/" }, conversionReviewVersions: ["v1"] };
    assert.deepEqual(texts(conversionErrors({ strategy: "Webhook", webhook }) as never), [
      "spec.conversion.strategy: conversion webhooks are not called by this server yet",
    ]);
    assert.deepEqual(texts(conversionErrors({ strategy: "None", webhook }) as never), [
      "spec.conversion.webhookClientConfig: should not be set when strategy is not set to Webhook",
      "spec.conversion.conversionReviewVersions: should not be set when strategy is not set to Webhook",
    ]);
  });
});

it("formatWarnings() tells of formats that nothing checks, once", () => {
  const spec = (format: string, type = "string"): never =>
    ({ versions: [{ name: "v1", schema: { openAPIV3Schema: a({ type, format }) } }] }) as never;
  assert.deepEqual(formatWarnings(spec("date-time"), undefined), []);
  assert.deepEqual(formatWarnings(spec("bogus"), undefined), ['unrecognized format "bogus"']);
  assert.deepEqual(formatWarnings(spec("date", "integer"), undefined), ['unrecognized format "date"']);
  assert.deepEqual(formatWarnings(spec("bogus"), spec("bogus")), []);
});

it("of a text's length and pattern only the first that fails is told", () => {
  const errors = new Validator().check({ type: "string", maxLength: 2, pattern: "^a" }, "xyz", "spec.a");
  assert.deepEqual(
    errors.map(({ type }) => type),
    ["FieldValueTooLong"],
  );
});
