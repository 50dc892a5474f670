// Any object survives protobuf, any bytes are refused cleanly.
import assert from "node:assert/strict";
import { it } from "node:test";
import fc from "fast-check";
import { defineMessages, ProtobufError, parseFieldTable } from "./mod.ts";

const tables = parseFieldTable(
  "m.A\ts\t1\tstring\nm.A\ti\t2\tint64\nm.A\tl\t3\trepeated sint32\nm.A\tm\t4\tmap<string,m.A>\nm.A\tb\t5\tbytes\nm.A\td\t6\tdouble\nm.A\tc\t7\trepeated m.A\n",
);
const messages = defineMessages(tables, { fill: false, zeros: "write" });

const anything = fc.letrec((tie) => ({
  message: fc.record(
    {
      s: fc.string({ unit: "grapheme" }),
      i: fc.maxSafeInteger(),
      l: fc.array(fc.integer(), { minLength: 1 }),
      b: fc.uint8Array().map((bytes) => Buffer.from(bytes)),
      d: fc.double({ noNaN: true }),
      m: fc.option(fc.dictionary(fc.string(), tie("message"), { minKeys: 1, maxKeys: 3, noNullPrototype: true }), {
        nil: undefined,
        depthIdentifier: "a",
        maxDepth: 2,
      }),
      c: fc.option(fc.array(tie("message"), { minLength: 1, maxLength: 2 }), {
        nil: undefined,
        depthIdentifier: "a",
        maxDepth: 2,
      }),
    },
    { requiredKeys: [] },
  ),
})).message;

const clean = (value: unknown): unknown => {
  if (Buffer.isBuffer(value) || typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map(clean);
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, item]) => item !== undefined)
      .map(([key, item]) => [key, clean(item)]),
  );
};

it("decode(encode(object)) is the object, whatever it is", () => {
  fc.assert(
    fc.property(anything, (object) => {
      assert.deepEqual(messages.decode("m.A", messages.encode("m.A", object as object)), clean(object));
    }),
    { numRuns: 300 },
  );
});

it("decode() of any bytes returns or throws a ProtobufError", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      try {
        messages.decode("m.A", bytes);
      } catch (error) {
        assert.ok(error instanceof ProtobufError);
      }
    }),
    { numRuns: 2000 },
  );
});
