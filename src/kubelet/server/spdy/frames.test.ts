// SPDY frames: what one side writes the other reads, in whatever pieces it arrives.
import assert from "node:assert/strict";
import { test } from "node:test";
import { constants, inflateSync } from "node:zlib";
import { spdyDictionary } from "./dictionary.ts";
import {
  dataFrame,
  type Frame,
  FrameReader,
  HeaderCompressor,
  pingFrame,
  rstStreamFrame,
  synReplyFrame,
  synStreamFrame,
} from "./frames.ts";

test("the dictionary is the one of the specification", () => {
  let a = 1;
  let b = 0;
  for (const byte of spdyDictionary()) {
    a = (a + byte) % 65521;
    b = (b + a) % 65521;
  }
  assert.equal(((b << 16) | a) >>> 0, 0xe3c6a7c2);
});

for (const pieceBytes of [1, 7, 4096]) {
  test(`frames survive the wire in pieces of ${pieceBytes} bytes`, async () => {
    const sender = new HeaderCompressor();
    const bytes = Buffer.concat([
      synStreamFrame(1, await sender.compress({ streamtype: "stdin" })),
      synReplyFrame(1, await sender.compress({})),
      synStreamFrame(3, await sender.compress({ streamtype: "error", port: "80" })), // its block refers to the first one's
      dataFrame(1, Buffer.from("hello"), true),
      pingFrame(7),
      rstStreamFrame(3, 2),
    ]);
    const reader = new FrameReader();
    const frames: Frame[] = [];
    for (let at = 0; at < bytes.length; at += pieceBytes) {
      for (const frame of reader.push(bytes.subarray(at, at + pieceBytes))) frames.push(frame);
    }
    sender.close();
    const blocks = inflateSync(Buffer.concat(frames.flatMap((frame) => ("block" in frame ? [frame.block] : []))), {
      dictionary: spdyDictionary(),
      finishFlush: constants.Z_SYNC_FLUSH,
    });
    assert.equal(
      blocks
        .toString("latin1")
        .replaceAll(/[^a-z0-9]+/g, " ")
        .trim(),
      "streamtype stdin streamtype error port 80",
    );
    assert.deepEqual(
      frames.map(({ block: _, ...frame }: Frame & { readonly block?: Buffer }) =>
        "data" in frame ? { ...frame, data: frame.data.toString() } : frame,
      ),
      [
        { type: "synStream", stream: 1, fin: false },
        { type: "synReply", stream: 1, fin: false },
        { type: "synStream", stream: 3, fin: false },
        { type: "data", stream: 1, data: "hello", fin: true },
        { type: "ping", id: 7 },
        { type: "rstStream", stream: 3, status: 2 },
      ],
    );
  });
}
