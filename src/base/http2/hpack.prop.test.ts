// Header compression: what one side writes the other reads, and no bytes at all surprise the reader.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { staticFields } from "./header-fields.ts";
import { CompressionError, HpackDecoder } from "./hpack-decoder.ts";
import { HpackEncoder } from "./hpack-encoder.ts";

const latin1 = fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes).toString("latin1"));
const field = fc.oneof(
  fc.record({ name: latin1, value: latin1, repeated: fc.boolean() }),
  fc.constantFrom(...staticFields).map(({ name, value }) => ({ name, value, repeated: false })),
);

test("header lists come out as they went in, whichever fields are repeated and whatever room the client has", () => {
  const lists = fc.array(field, { minLength: 1, maxLength: 30 }).chain((fields) =>
    fc.record({
      lists: fc.array(fc.array(fc.constantFrom(...fields), { maxLength: 8 }), { maxLength: 20 }),
      limits: fc.array(fc.record({ before: fc.nat(20), bytes: fc.constantFrom(0, 100, 4096, 65_536) }), { maxLength: 2 }),
    }),
  );
  fc.assert(
    fc.property(lists, ({ lists: all, limits }) => {
      const encoder = new HpackEncoder();
      const decoder = new HpackDecoder(1_000_000);
      for (const [index, list] of all.entries()) {
        for (const { before, bytes } of limits) if (before === index) encoder.setTableLimit(bytes);
        const read = decoder.decode(encoder.encode(list)).fields;
        assert.deepEqual(
          read.map(({ name, value }) => [name, value]),
          list.map(({ name, value }) => [name, value]),
        );
      }
    }),
    { numRuns: 200 },
  );
});

test("any bytes are a header block or a CompressionError", () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 5 }), (blocks) => {
      const decoder = new HpackDecoder(10_000);
      try {
        for (const block of blocks) decoder.decode(Buffer.from(block));
      } catch (error) {
        assert.ok(error instanceof CompressionError, String(error));
      }
    }),
    { numRuns: 500 },
  );
});
