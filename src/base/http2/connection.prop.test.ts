// A connection does not care in which pieces its bytes come, and no bytes at all surprise it.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Client, frame, headerBlock, open, preface, requestFields, settings, uint32 } from "./testing/client.ts";

const id = fc.constantFrom(0, 1, 3, 5, 2);
const bytes = fc.uint8Array({ maxLength: 40 });
const anyFrame = fc.oneof(
  { weight: 6, arbitrary: fc.tuple(fc.constantFrom(1, 3, 5, 7, 9), fc.boolean()).map(([stream, end]) => open(stream, { end })) },
  {
    weight: 6,
    arbitrary: fc
      .tuple(fc.constantFrom(0, 1), fc.constantFrom(1, 3, 5), bytes)
      .map(([flags, stream, data]) => frame(0, flags, stream, data)),
  },
  fc.tuple(fc.constantFrom(1, 4, 5, 6), fc.constantFrom(0, 20, 65_535)).map(([name, value]) => settings([name, value])),
  fc.tuple(id, fc.constantFrom(0, 1, 100_000)).map(([stream, window]) => frame(8, 0, stream, uint32(window))),
  id.map((stream) => frame(3, 0, stream, uint32(8))),
  fc.constant(frame(6, 0, 0, Buffer.alloc(8))),
  fc.constant(Buffer.concat([frame(1, 0, 11, headerBlock(requestFields())), frame(9, 4, 11)])),
  {
    weight: 1,
    arbitrary: fc
      .tuple(fc.nat(12), fc.nat(255), id, bytes)
      .map(([type, flags, stream, payload]) => frame(type, flags, stream, payload)),
  },
);
const conversation = fc.array(anyFrame, { maxLength: 40 }).map((frames) => Buffer.concat([preface, settings(), ...frames]));

/** What the server heard and said, when each answer is given as soon as it can be. */
function outcome(pieces: readonly Buffer[]): unknown {
  const client = new Client({ silent: true });
  const said: Buffer[] = [];
  client.say(...pieces);
  for (const { stream, events } of client.requests) {
    if (events.includes("closed")) continue;
    stream.respond([{ name: ":status", value: "200" }], false);
    stream.write(Buffer.alloc(100, "x"));
    stream.end([{ name: "grpc-status", value: "0" }]);
  }
  said.push(...client.connection.take());
  const heard = client.requests.map(({ head, events }) => ({ head, events: events.filter((event) => event !== "data ") }));
  return { heard, said: Buffer.concat(said).toString("hex"), failure: client.connection.failure?.message };
}

const cut = (whole: Buffer, lengths: readonly number[]): Buffer[] => {
  const pieces: Buffer[] = [];
  let at = 0;
  for (let index = 0; at < whole.length; index++) {
    const end = at + (lengths[index % lengths.length] ?? 1);
    pieces.push(whole.subarray(at, end));
    at = end;
  }
  return pieces;
};

test("the same bytes in other pieces are the same requests, answers and failures", () => {
  const lengths = fc.array(fc.integer({ min: 1, max: 60 }), { minLength: 1, maxLength: 10 });
  fc.assert(
    fc.property(conversation, lengths, (whole, sizes) => {
      assert.deepEqual(outcome(cut(whole, sizes)), outcome([whole]));
    }),
    { numRuns: 300 },
  );
});

test("whatever comes after the preface, the connection takes it or ends, and every request ends with it", () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 200 }), { maxLength: 10 }), fc.array(anyFrame), (noise, frames) => {
      const client = new Client();
      client.say(...frames, ...noise.map((each) => Buffer.from(each)));
      client.connection.closed();
      for (const { events, stream } of client.requests) {
        assert.equal(events.filter((event) => event === "closed").length, 1);
        assert.equal(events.at(-1), "closed");
        assert.equal(stream.open, false);
      }
    }),
    { numRuns: 300 },
  );
});
