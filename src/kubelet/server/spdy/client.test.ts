// The client's side of a SPDY connection: nothing that the server says is lost, however it arrives.
import assert from "node:assert/strict";
import { Duplex } from "node:stream";
import { test } from "node:test";
import { SpdyClient } from "./client.ts";
import { dataFrame, FrameReader, HeaderCodec, synReplyFrame } from "./frames.ts";

/** A socket whose other end answers each new stream at once with acceptance, data and the end, in one piece. */
function eagerServer(text: string): Duplex {
  const codec = new HeaderCodec();
  const reader = new FrameReader(codec);
  const socket: Duplex = new Duplex({
    read: () => {},
    write: (chunk: Buffer, _encoding, done) => {
      void (async () => {
        for await (const frame of reader.push(chunk)) {
          if (frame.type !== "synStream") continue;
          const reply = synReplyFrame(frame.stream, await codec.compress({}));
          socket.push(Buffer.concat([reply, dataFrame(frame.stream, Buffer.from(text), true)]));
        }
        done();
      })();
    },
    destroy: (_error, done) => {
      codec.close();
      done(null);
    },
  });
  return socket;
}

test("data that comes in one piece with a stream's acceptance reaches a listener that is added later", async () => {
  const client = new SpdyClient(eagerServer('{"status":"Failure"}'), Buffer.alloc(0));
  const first = await client.open({ streamtype: "error" });
  const second = await client.open({ streamtype: "stdout" });
  const seen: string[] = [];
  first.onData((data) => seen.push(data.toString()));
  second.onData((data) => seen.push(data.toString()));
  await Promise.all([first.ended, second.ended]);
  assert.deepEqual(seen, ['{"status":"Failure"}', '{"status":"Failure"}']);
  client.close();
});
