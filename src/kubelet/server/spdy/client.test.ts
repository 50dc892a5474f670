// The client's side of a SPDY connection: nothing that the server says is lost, however it arrives.
import assert from "node:assert/strict";
import { Duplex } from "node:stream";
import { test } from "node:test";
import { SpdyClient } from "./client.ts";
import { dataFrame, FrameReader, synReplyFrame } from "./frames.ts";

/** A socket whose other end answers each new stream at once with what `say` gives, in one piece. */
function server(say: (stream: number, socket: Duplex) => void): Duplex {
  const reader = new FrameReader();
  const socket: Duplex = new Duplex({
    read: () => {},
    write: (chunk: Buffer, _encoding, done) => {
      for (const frame of reader.push(chunk)) if (frame.type === "synStream") say(frame.stream, socket);
      done();
    },
  });
  return socket;
}

const accepted = (stream: number): Buffer => synReplyFrame(stream, Buffer.alloc(0));
const failure = Buffer.from('{"status":"Failure"}');

test("data that comes in one piece with a stream's acceptance reaches a listener that is added later", async () => {
  const eager = server((stream, socket) => socket.push(Buffer.concat([accepted(stream), dataFrame(stream, failure, true)])));
  const client = new SpdyClient(eager, Buffer.alloc(0));
  const first = await client.open({ streamtype: "error" });
  const second = await client.open({ streamtype: "stdout" });
  const seen: string[] = [];
  first.onData((data) => seen.push(data.toString()));
  second.onData((data) => seen.push(data.toString()));
  await Promise.all([first.ended, second.ended]);
  assert.deepEqual(seen, ['{"status":"Failure"}', '{"status":"Failure"}']);
  client.close();
});

test("what the server said last before the connection was reset is not lost", async () => {
  const hasty = server((stream, socket) => socket.push(accepted(stream)));
  const client = new SpdyClient(hasty, Buffer.alloc(0));
  const error = await client.open({ streamtype: "error" });
  const seen: string[] = [];
  error.onData((data) => seen.push(data.toString()));
  for (let piece = 0; piece < 20; piece++) hasty.push(dataFrame(1, Buffer.from(`${piece} `), false));
  hasty.push(dataFrame(1, failure, true));
  hasty.destroy(new Error("read ECONNRESET"));
  await error.ended;
  assert.equal(seen.at(-1), '{"status":"Failure"}');
});

test("a stream cannot be opened on a connection that is gone", async () => {
  const gone = server(() => {});
  const client = new SpdyClient(gone, Buffer.alloc(0));
  const waiting = client.open({ streamtype: "error" });
  gone.destroy();
  await assert.rejects(waiting, /the connection was closed/);
  await assert.rejects(client.open({ streamtype: "stdout" }), /the connection was closed/);
});
