// Upstream's own objects (one of every kind, every field set) and upstream's recorded answers to odd bodies.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  decodeJson,
  decodeProtobuf,
  decodeTyped,
  decodeYaml,
  encodeJson,
  encodeProtobuf,
  encodeYaml,
  inDocumentOrder,
  type JsonObject,
  schemaOfKind,
} from "../mod.ts";
import decoding from "../testdata/decoding.json" with { type: "json" };
import objects from "../testdata/objects.json" with { type: "json" };

interface Golden {
  readonly json: JsonObject;
  readonly yaml: string;
  readonly protobuf: string;
}

// What an older server keeps of an object of today: fields that it does not know or does not write. They are not what this server would write.
const fromOlderServers: Readonly<Record<string, string>> = {
  "core.v1.Pod.after_roundtrip": "resources of status.nodeAllocatableResourceClaimStatuses, always written here, is not there",
  "storage.k8s.io.v1.CSINode.after_roundtrip": "has a status, a field that CSINode lost",
};

const all = Object.entries(objects as unknown as Readonly<Record<string, Golden>>);
const today = all.filter(([name]) => !(name in fromOlderServers));

const kindOf = ({
  apiVersion,
  kind,
}: {
  readonly apiVersion?: unknown;
  readonly kind?: unknown;
}): { group: string; version: string; kind: string } => {
  const text = typeof apiVersion === "string" ? apiVersion : "";
  return {
    group: text.includes("/") ? (text.split("/")[0] ?? "") : "",
    version: text.split("/").at(-1) ?? "",
    kind: String(kind),
  };
};

function schemaFor(object: { readonly apiVersion?: unknown; readonly kind?: unknown }) {
  const schema = schemaOfKind(kindOf(object));
  assert.ok(schema !== undefined);
  return schema;
}

describe("upstream's objects of every served kind", () => {
  it("are here: at least 88", () => assert.ok(today.length >= 88));

  for (const [name, { json, yaml, protobuf }] of today) {
    it(`${name} survives JSON, YAML and protobuf`, () => {
      const typed = decodeTyped(schemaFor(json), decodeJson(JSON.stringify(json)).value);
      assert.deepEqual(typed.problems, []);
      assert.deepEqual(typed.object, json);
      assert.deepEqual(JSON.parse(encodeJson(typed.object).toString()), json);
      assert.deepEqual(decodeYaml(yaml).value, json);
      assert.equal(encodeYaml(json).toString(), yaml);
      const bytes = Buffer.from(protobuf, "base64");
      assert.deepEqual(decodeProtobuf(bytes), json);
      assert.equal(encodeProtobuf(json).toString("hex"), bytes.toString("hex"));
    });
  }

  for (const [name, reason] of Object.entries(fromOlderServers)) {
    it(`${name} differs only because ${reason}`, () => {
      const golden = (objects as unknown as Readonly<Record<string, Golden>>)[name];
      assert.ok(golden !== undefined);
      assert.deepEqual(decodeYaml(golden.yaml).value, golden.json);
      assert.notDeepEqual(decodeTyped(schemaFor(golden.json), golden.json).object, golden.json);
    });
  }
});

interface Row {
  readonly yaml?: boolean;
  /** Recorded as Warning headers: a text with a line break does not fit one and is missing. */
  readonly warnings?: boolean;
  /** "group/version/Kind" where the body does not say it. */
  readonly as?: string;
  readonly body: string;
  readonly answer: string;
}

// Go's reader stops after the first document and never sees that more follows; ours reads to the end.
const readsFurther = new Set(["{a: b}}"]);

describe("upstream's recorded answers to odd bodies", () => {
  const rows = decoding as readonly Row[];

  // recordings mask times
  const masked = (text: string): string =>
    text.replace(/2006-01-02T15:04:05(\.0+)?Z/g, "<time>").replace(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, "<time>");

  function answer({ yaml, as, body, warnings }: Row): string {
    try {
      const decoded = yaml === true ? decodeYaml(body) : decodeJson(body);
      const [group = "", version = "", kind = ""] = as?.split("/") ?? [];
      const schema = as === undefined ? schemaFor(decoded.value as JsonObject) : schemaOfKind({ group, version, kind });
      assert.ok(schema !== undefined);
      const typed = decodeTyped(schema, decoded.value, { literals: decoded.literals });
      const problems = [...decoded.problems, ...typed.problems].filter((problem) => warnings !== true || !problem.includes("\n"));
      return (
        decoded.problems.length > 0 && typed.problems.length > 0 && yaml !== true ? inDocumentOrder(body, problems) : problems
      ).join(", ");
    } catch (error) {
      return (error as Error).message;
    }
  }

  it("are here: at least 250", () => assert.ok(rows.length >= 250));

  it("are given word for word", () => {
    const wrong = rows
      .filter(({ body }) => !readsFurther.has(body))
      .map((row) => ({ body: row.body, got: masked(answer(row)), expected: masked(row.answer) }))
      .filter(({ got, expected }) => got !== expected);
    assert.deepEqual(wrong, []);
  });
});
