import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { parseFrames } from "./frames.ts";

test("frames come out whole however the network cuts the bytes, also inside a character", () =>
  fc.assert(
    fc.asyncProperty(fc.array(fc.string({ unit: "grapheme" })), fc.array(fc.nat(40), { minLength: 1 }), async (texts, cuts) => {
      const frames = texts.map((text) => ({ type: "ADDED" as const, object: { text } }));
      const bytes = Buffer.from(frames.map((frame) => `${JSON.stringify(frame)}\n`).join(""));
      const chunks: Uint8Array[] = [];
      for (let at = 0, i = 0; at < bytes.length; i++) {
        const size = 1 + (cuts[i % cuts.length] ?? 0);
        chunks.push(bytes.subarray(at, at + size));
        at += size;
      }
      assert.deepEqual(await Array.fromAsync(parseFrames(iterate(chunks))), frames);
    }),
    { numRuns: 50 },
  ));

test("a frame that is not JSON is an error, also when it is the last", async () => {
  await assert.rejects(
    Array.fromAsync(parseFrames(iterate([Buffer.from('{"type":"ADDED","object":{}}\nnonsense\n')]))),
    SyntaxError,
  );
});

async function* iterate(chunks: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* chunks;
}
