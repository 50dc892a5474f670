// What a client may send before we have dealt with what it sent: so much a stream, and so much in all.
import assert from "node:assert/strict";
import { test } from "node:test";
import { limits } from "./contract.ts";
import { errorCode } from "./frames.ts";
import { Client, frame, type HeardFrame, open, uint32 } from "./testing/client.ts";

const frameBytes = 16_384;
const piece = (stream: number): Buffer => frame(0, 0, stream, Buffer.alloc(frameBytes));
const { streamWindow, connectionWindow } = limits;
const streams = connectionWindow / streamWindow;
const ofConnection = (frames: readonly HeardFrame[]): number[] =>
  frames.filter(({ type, stream }) => type === 8 && stream === 0).map(({ payload }) => payload.readUInt32BE(0));

/** A client whose requests take all that the connection may hold, undealt with. */
function full(): Client {
  const client = new Client();
  for (let n = 0; n < streams; n++) {
    client.say(open(2 * n + 1));
    for (let sent = 0; sent < streamWindow; sent += frameBytes) client.say(piece(2 * n + 1));
  }
  client.say(open(2 * streams + 1));
  return client;
}

test("requests that nobody deals with take a connection's window and no more, however many they are", () => {
  const client = full();
  assert.deepEqual(client.hear(), []);
  assert.equal(client.goawayAfter(piece(2 * streams + 1)), errorCode.flowControl);
});

test("what is dealt with may be sent again: half of the window is worth a word", () => {
  const client = full();
  for (let n = 0; n < streams / 2 - 1; n++) client.request(n).stream.consumed(streamWindow);
  assert.deepEqual(ofConnection(client.hear()), []);
  client.request(streams - 1).stream.consumed(streamWindow);
  assert.deepEqual(ofConnection(client.hear()), [connectionWindow / 2]);
  client.say(piece(2 * streams + 1));
  assert.equal(client.connection.failure, undefined);
});

test("what a request that is over has held no longer counts", () => {
  const client = full();
  for (let n = 0; n < streams / 2; n++) client.say(frame(3, 0, 2 * n + 1, uint32(8)));
  assert.deepEqual(ofConnection(client.hear()), [connectionWindow / 2]);
  client.request(0).stream.consumed(streamWindow); // too late to count twice
  for (let n = streams / 2; n < streams - 1; n++) client.request(n).stream.consumed(streamWindow);
  assert.deepEqual(ofConnection(client.hear()), []);
  client.request(streams - 1).stream.consumed(streamWindow);
  assert.deepEqual(ofConnection(client.hear()), [connectionWindow / 2]);
});

test("what nobody hears of counts as dealt with: padding, late data, what follows an answer", () => {
  const client = new Client();
  client.say(open(1), open(3), open(5));
  const answered = client.request(0).stream;
  answered.respond([{ name: ":status", value: "200" }], true);
  client.request(1).stream.respond([{ name: ":status", value: "200" }], true);
  client.request(1).stream.stopRequest();
  client.hear();
  const padding = frame(0, 8, 5, Buffer.concat([Buffer.from([255]), Buffer.alloc(255)]));
  let bytes = 0;
  for (let sent = 0; sent < streamWindow; sent += frameBytes, bytes += frameBytes) client.say(piece(1)); // all that it may
  for (; bytes < connectionWindow / 2 - 256; bytes += 256) client.say(padding); // the stream's window opens as well
  assert.deepEqual(ofConnection(client.hear()), []);
  client.say(frame(0, 0, 3, Buffer.alloc(256)));
  assert.deepEqual(ofConnection(client.hear()), [connectionWindow / 2]);
});
