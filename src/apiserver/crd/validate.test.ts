// The values of a custom resource against its schema, in upstream's order and words.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { invalid } from "#api";
import type { Props } from "./props.ts";
import { Validator } from "./validate.ts";

function check(props: object, value: unknown): string[] {
  const errors = new Validator().check(props as Props, value, "spec");
  const causes = invalid({ group: "", kind: "" }, "", errors).status.details?.causes ?? [];
  return causes.map(({ field, message }) => `${field}: ${message}`);
}

describe("values of custom resources", () => {
  it("of the wrong type are also none of those that are supported", () => {
    assert.deepEqual(check({ type: "array", items: { type: "string", enum: ["ab"] } }, [5]), [
      'spec[0]: Invalid value: "integer": spec[0] in body must be of type string: "integer"',
      'spec[0]: Unsupported value: 5: supported values: "ab"',
    ]);
  });

  it("that are null fit no list of supported ones, and nothing else is asked of them", () => {
    const nullable = { type: "string", nullable: true, minLength: 1 };
    assert.deepEqual(check(nullable, null), []);
    const message = 'spec: Unsupported value: null: supported values: "a", "null"';
    assert.deepEqual(check({ ...nullable, enum: ["a", null] }, null), [message]);
  });

  it("beyond 64 bits are no integers", () => {
    assert.deepEqual(check({ type: "integer" }, 9223372036854775807n), []);
    assert.deepEqual(check({ type: "integer" }, 9223372036854775808n), [
      'spec: Invalid value: "number": spec in body must be of type integer: "number"',
      '<nil>: Invalid value: "": Checked value must be of type integer (default format) in spec',
    ]);
  });

  it("that fit none of several schemas are explained by the first of those that are closest", () => {
    const props = { anyOf: [{ type: "integer" }, { type: "string" }] };
    assert.deepEqual(check(props, 1.5).slice(0, 2), [
      '<nil>: Invalid value: "": "spec" must validate at least one schema (anyOf)',
      'spec: Invalid value: "number": spec in body must be of type integer: "number"',
    ]);
  });
});
