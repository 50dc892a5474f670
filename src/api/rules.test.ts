// The rules of kinds against recorded answers of upstream's API server: what is refused, with its causes, and what defaults make of the rest.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { decodeTyped } from "./codec/typed.ts";
import { deepEqual } from "./deep-equal.ts";
import { type FieldError, invalid } from "./errors.ts";
import { type AnyObject, kindRules } from "./rules.ts";
import type { JsonValue } from "./scalars.ts";
import { schemaOfKind } from "./schema/read.ts";
import recorded from "./testdata/rules.json" with { type: "json" };

interface Recorded {
  readonly case: string;
  readonly group: string;
  readonly version: string;
  readonly kind: string;
  readonly operation: string;
  readonly input: AnyObject;
  readonly old?: AnyObject;
  /** "reason|field|message" of each cause of the refusal. */
  readonly causes?: readonly string[];
  readonly object?: AnyObject;
}

/** Set by admission or by the allocators, not by the rules. */
const setElsewhere: Readonly<Record<string, readonly string[]>> = {
  Pod: ["serviceAccount", "serviceAccountName", "priority", "preemptionPolicy", "tolerations", "nodeSelector", "overhead"],
  Service: ["clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"],
};

/** The uid that the recording's causes mention, or any. */
const uidOf = (row: Recorded): string => /uid\d+/.exec(JSON.stringify(row.causes ?? row.object ?? ""))?.[0] ?? "u";

function run(row: Recorded): { object: AnyObject; errors: FieldError[] } {
  const rules = kindRules[`${row.group}/${row.kind}`];
  assert.ok(rules, `rules of ${row.kind}`);
  let object = rules.default?.(row.input) ?? row.input;
  if (row.operation === "create") {
    const {
      deletionTimestamp: _,
      deletionGracePeriodSeconds: __,
      managedFields: ___,
      selfLink: ____,
      ...metadata
    } = object.metadata ?? {};
    object = { ...object, metadata: { ...metadata, uid: uidOf(row), creationTimestamp: "2024-01-01T00:00:00Z" } };
    object = rules.prepareForCreate?.(object) ?? object;
    return { object, errors: rules.validate?.(object) ?? [] };
  }
  const prepare = row.operation === "status" ? rules.prepareForStatusUpdate : rules.prepareForUpdate;
  const validate = row.operation === "status" ? rules.validateStatusUpdate : rules.validateUpdate;
  object = prepare?.(object, row.old) ?? object;
  return { object, errors: validate?.(object, row.old) ?? [] };
}

const normal = (row: Recorded, object: AnyObject): AnyObject => {
  const schema = schemaOfKind(row);
  assert.ok(schema);
  const {
    metadata: _,
    status: __,
    apiVersion: ___,
    kind: ____,
    ...rest
  } = decodeTyped(schema, object as JsonValue).object as unknown as AnyObject;
  if (rest.spec !== undefined && row.kind in setElsewhere)
    for (const field of setElsewhere[row.kind] ?? []) delete rest.spec[field];
  return rest;
};

const rows = recorded as unknown as readonly Recorded[];
for (const kind of new Set(rows.map((row) => row.kind)))
  describe(`${kind} rules`, () => {
    const own = rows.filter((row) => row.kind === kind);
    test("refuse what upstream refuses, with its causes in its order", () => {
      for (const row of own.filter((candidate) => candidate.causes !== undefined)) {
        const causes = invalid(row, "", run(row).errors).status.details?.causes ?? [];
        assert.deepEqual(
          causes.map((cause) => `${cause.reason}|${cause.field}|${cause.message?.split("\n@@")[0]}`),
          row.causes,
          `${row.case}: ${JSON.stringify(row.input.spec ?? row.input.metadata)}`,
        );
      }
    });
    test("accept what upstream accepts, with its defaults", () => {
      for (const row of own.filter((candidate) => candidate.object !== undefined)) {
        const { object, errors } = run(row);
        assert.deepEqual(errors, [], `${row.case}: ${JSON.stringify(row.input)}`);
        assert.deepEqual(normal(row, object), normal(row, { ...row.object, apiVersion: object.apiVersion, kind }), row.case);
      }
    });
  });

test("rules change nothing in place", () => {
  for (const row of rows) {
    const [input, old] = [structuredClone(row.input), structuredClone(row.old)];
    run(row);
    assert.ok(deepEqual(row.input, input) && deepEqual(row.old, old), row.case);
  }
});
