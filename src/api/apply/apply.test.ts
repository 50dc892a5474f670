// Server-side apply and field ownership against recorded conversations with upstream's API server.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { decodeTyped } from "../codec/typed.ts";
import { ApiError } from "../errors.ts";
import { applyJsonPatch, readJsonPatch } from "../json-patch.ts";
import { applyMergePatch } from "../merge-patch.ts";
import { apiVersionOf } from "../resource-type.ts";
import { type AnyObject, kindRules } from "../rules.ts";
import type { JsonValue } from "../scalars.ts";
import { schemaOfKind } from "../schema/read.ts";
import { applyStrategicMergePatch } from "../strategic-merge.ts";
import recorded from "../testdata/apply.json" with { type: "json" };
import { applyPatch, updateManagedFields, type WriteContext } from "./apply.ts";
import { decodeFields, difference, encodeFields, intersection, setsEqual, union } from "./field-set.ts";
import { fieldSetOf } from "./typed.ts";

interface Step {
  readonly do: string;
  readonly group: string;
  readonly version: string;
  readonly kind: string;
  readonly name: string;
  readonly manager: string;
  readonly force?: boolean;
  readonly subresource?: string;
  readonly dryRun?: boolean;
  /** Refused for reasons that are not ours: the object stays. */
  readonly refused?: boolean;
  readonly body: AnyObject;
  /** managedFields of the answer, times masked. */
  readonly managers?: readonly AnyObject[];
  /** Message and causes of the answer. */
  readonly conflict?: AnyObject;
}

const masked = (object: AnyObject): unknown =>
  (object.metadata.managedFields ?? []).map((entry: AnyObject) =>
    entry.time === undefined ? entry : { ...entry, time: "<time>" },
  );

/** One write as the registry makes it, as far as ownership is concerned. */
function write(step: Step, live: AnyObject, time: string): AnyObject {
  const schema = schemaOfKind(step);
  assert.ok(schema);
  const rules = kindRules[`${step.group}/${step.kind}`];
  const subresource = step.subresource ?? "";
  const context: WriteContext = { live, manager: step.manager, subresource, apiVersion: apiVersionOf(step), time, schema };
  const prepare = (object: AnyObject): AnyObject => {
    const filled = rules?.default?.(object) ?? object;
    if (live === undefined) return rules?.prepareForCreate?.(filled) ?? filled;
    return (subresource === "status" ? rules?.prepareForStatusUpdate : rules?.prepareForUpdate)?.(filled, live) ?? filled;
  };
  if (step.do === "apply") {
    const applied = applyPatch({ ...context, applied: step.body as never, force: step.force === true });
    return applied === live ? live : prepare(applied);
  }
  const changed =
    step.do === "json"
      ? applyJsonPatch(live, readJsonPatch(step.body).operations)
      : step.do === "strategic"
        ? applyStrategicMergePatch(live, step.body, schema)
        : step.do === "merge"
          ? applyMergePatch(live, step.body)
          : step.body;
  const typed = decodeTyped(schema, changed as JsonValue).object as object;
  return updateManagedFields({ ...context, next: prepare({ ...typed, apiVersion: apiVersionOf(step), kind: step.kind }) });
}

const stored = (object: AnyObject, name: string): AnyObject => ({
  ...object,
  metadata: { ...object.metadata, uid: `uid-${name}`, creationTimestamp: "2020-01-01T00:00:00Z", namespace: "nsx" },
});

for (const conversation of recorded as unknown as readonly { case: string; steps: readonly Step[] }[])
  test(`${conversation.case}: owners and conflicts are upstream's`, () => {
    const objects = new Map<string, AnyObject>();
    for (const [i, step] of conversation.steps.entries()) {
      if (step.refused === true) continue;
      const key = `${step.kind}/${step.name}`;
      const live = objects.get(key);
      if (live === undefined && !["create", "apply"].includes(step.do)) continue;
      let next: AnyObject;
      try {
        next = write(step, live, "2001-09-09T00:00:00Z");
      } catch (error) {
        assert.ok(error instanceof ApiError, `step ${i}: ${(error as Error).stack}`);
        if (step.conflict !== undefined)
          assert.deepEqual(
            [error.status.message, error.status.details?.causes?.map((cause) => [cause.field, cause.message]) ?? null],
            step.conflict,
            `step ${i}`,
          );
        continue;
      }
      assert.equal(step.conflict, undefined, `step ${i} must conflict`);
      if (step.managers !== undefined) assert.deepEqual(masked(next), step.managers, `step ${i}`);
      if (step.dryRun !== true) objects.set(key, stored(next, step.name));
    }
  });

// Properties, on config maps.

const configMap = schemaOfKind({ group: "", version: "v1", kind: "ConfigMap" });
assert.ok(configMap);
// not empty: an empty map is owned but vanishes on decoding, so the next applier adds it again (as upstream)
const data = fc.dictionary(fc.constantFrom("a", "b", "c", "d"), fc.constantFrom("1", "2", "3"), { minKeys: 1 });
const manifest = (content: Record<string, string>): AnyObject => ({
  apiVersion: "v1",
  kind: "ConfigMap",
  metadata: { name: "x" },
  data: content,
});
const applyAs = (manager: string, live: AnyObject, content: Record<string, string>, force = true): AnyObject =>
  applyPatch({
    live,
    applied: manifest(content) as never,
    manager,
    force,
    subresource: "",
    apiVersion: "v1",
    time: "2001-09-09T00:00:00Z",
    schema: configMap,
  });

test("applying the same twice changes nothing", () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.constantFrom("m1", "m2", "m3"), data), { minLength: 1, maxLength: 6 }), (writes) => {
      let live: AnyObject;
      for (const [manager, content] of writes) {
        live = applyAs(manager, live, content);
        assert.equal(applyAs(manager, live, content), live);
      }
    }),
    { numRuns: 100 },
  );
});

test("every applied field is there, and owned by its applier", () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.constantFrom("m1", "m2", "m3"), data), { minLength: 1, maxLength: 6 }), (writes) => {
      let live: AnyObject;
      for (const [manager, content] of writes) {
        live = applyAs(manager, live, content);
        for (const [key, value] of Object.entries(content)) assert.equal(live.data?.[key], value);
        const mine = live.metadata.managedFields?.find((entry: AnyObject) => entry.manager === manager);
        assert.deepEqual(
          Object.keys(mine?.fieldsV1["f:data"] ?? {}).sort(),
          Object.keys(content)
            .map((key) => `f:${key}`)
            .sort(),
        );
      }
      const owned = (live?.metadata.managedFields ?? [])
        .map((entry: AnyObject) => decodeFields(entry.fieldsV1))
        .reduce(union, new Map());
      const present = fieldSetOf(live, configMap);
      const empty = decodeFields({ "f:data": {} });
      assert.ok(empty);
      assert.equal(difference(difference(owned, present), empty).size, 0, "owners own what is there");
    }),
    { numRuns: 100 },
  );
});

test("without force a changed field of another applier is a conflict, an equal one is shared", () => {
  const live = applyAs("m1", undefined, { a: "1" });
  assert.throws(() => applyAs("m2", live, { a: "2" }, false), /Apply failed with 1 conflict: conflict with "m1": .data.a/);
  assert.equal(applyAs("m2", live, { a: "1" }, false).metadata.managedFields.length, 2);
});

const fields = fc.letrec<{ node: object }>((tie) => ({
  node: fc.dictionary(
    fc.constantFrom("f:a", "f:b", 'k:{"n":1}', 'v:"x"'),
    fc.oneof({ depthSize: "small" }, fc.constant({}), tie("node")),
    { maxKeys: 3 },
  ),
})).node;

test("field sets survive encoding and obey set algebra", () => {
  fc.assert(
    fc.property(fields, fields, (a, b) => {
      const [left, right] = [decodeFields(a), decodeFields(b)];
      assert.ok(left && right);
      const again = decodeFields(encodeFields(left));
      assert.ok(again && setsEqual(left, again));
      assert.ok(setsEqual(union(left, right), union(right, left)));
      assert.ok(setsEqual(union(intersection(left, right), difference(left, right)), left));
      assert.equal(difference(left, difference(right, left)), left, "what loses nothing is not made anew");
    }),
    { numRuns: 200 },
  );
});
