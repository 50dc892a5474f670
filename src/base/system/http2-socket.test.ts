// The socket under an HTTP/2 connection: nothing is read faster than it is answered, and every way to part leaves nothing open.
import assert from "node:assert/strict";
import { type Duplex, duplexPair } from "node:stream";
import { afterEach, beforeEach, mock, suite, test } from "node:test";
import type { ResponseStream } from "../http2/contract.ts";
import { errorCode } from "../http2/frames.ts";
import { frame, framesOf, type HeardFrame, open, preface, settings, uint32 } from "../http2/testing/client.ts";
import { type Http2Socket, serveHttp2 } from "./http2-socket.ts";

const greeting = Buffer.concat([preface, settings()]);
const ok = [{ name: ":status", value: "200" }];

interface Pair {
  readonly client: Duplex;
  readonly server: Duplex;
  readonly connection: Http2Socket;
  readonly streams: ResponseStream[];
  /** Of the requests, how many are over. */
  readonly closed: () => number;
  /** What the client has read. */
  readonly heard: () => HeardFrame[];
  /** How often the server wrote to the socket. */
  readonly writes: () => number;
}

function pair(accept: (stream: ResponseStream) => void = () => {}, { reads = true } = {}): Pair {
  const [client, server] = duplexPair();
  const streams: ResponseStream[] = [];
  const pieces: Buffer[] = [];
  let closed = 0;
  let writes = 0;
  const write = server._write.bind(server);
  // As a socket does: what it has taken it no longer looks at.
  server._write = (chunk: Buffer, ...rest): void => {
    writes++;
    write(Buffer.from(chunk), ...rest);
  };
  server._writev = (chunks, done): void => {
    writes++;
    write(Buffer.concat(chunks.map(({ chunk }) => chunk as Buffer)), "buffer" as BufferEncoding, done);
  };
  const connection = serveHttp2(server, {
    streams: 1_000,
    accept: (_head, stream) => {
      streams.push(stream);
      accept(stream);
      return { data: () => {}, end: () => {}, drained: () => {}, closed: () => closed++ };
    },
  });
  if (reads) client.on("data", (bytes: Buffer) => pieces.push(bytes));
  client.on("error", () => {});
  return {
    client,
    server,
    connection,
    streams,
    closed: () => closed,
    heard: () => framesOf(Buffer.concat(pieces)),
    writes: () => writes,
  };
}

/** Whatever was on its way has come. */
async function settled(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await new Promise(setImmediate);
}

suite("a socket under HTTP/2", () => {
  beforeEach(() => mock.timers.enable({ apis: ["setTimeout"] }));
  afterEach(() => mock.timers.reset());

  test("sends the answers of one turn in one write, small and large ones", async () => {
    const { client, heard, writes, streams } = pair();
    client.write(
      Buffer.concat([greeting, settings([5, 20_000]), ...Array.from({ length: 20 }, (_, n) => open(2 * n + 1, { end: true }))]),
    );
    await settled();
    const before = writes();
    for (const [index, stream] of streams.entries()) {
      stream.respond(ok, false);
      stream.writeLast([Buffer.alloc(index < 3 ? 20_000 : 10)]);
    }
    await settled();
    assert.equal(writes(), before + 1);
    assert.equal(heard().filter(({ type }) => type === 1).length, 20);
  });

  test("sends as fast as the client reads, and all in the end", async () => {
    const { client, streams, heard } = pair(undefined, { reads: false });
    client.write(Buffer.concat([greeting, settings([4, 2 ** 30]), frame(8, 0, 0, uint32(2 ** 30)), open(1, { end: true })]));
    await settled();
    const [stream] = streams;
    stream?.respond(ok, false);
    for (let n = 0; n < 40; n++) stream?.write(Buffer.alloc(50_000));
    stream?.end([]);
    await settled();
    assert.ok((stream?.unreadBytes ?? 0) > 1_000_000, `${stream?.unreadBytes} bytes wait in the stream`);
    const pieces: Buffer[] = [];
    client.on("data", (bytes: Buffer) => pieces.push(bytes));
    await settled();
    const bytes = framesOf(Buffer.concat(pieces)).reduce((sum, { type, payload }) => sum + (type === 0 ? payload.length : 0), 0);
    assert.equal(bytes, 2_000_000);
    assert.deepEqual(heard(), []);
  });

  test("does not read from a client that does not read, and goes on where it was", async () => {
    const large = [...ok, { name: "x", value: "y".repeat(15_000) }];
    const { client, streams } = pair((stream) => stream.respond(large, true), { reads: false });
    client.write(greeting);
    const requests = 900;
    for (let n = 0; n < requests; n++) {
      client.write(open(2 * n + 1, { end: true }));
      await new Promise(setImmediate);
    }
    await settled();
    assert.ok(streams.length < 200, `${streams.length} requests were taken`);
    client.resume();
    for (let n = 0; n < 10; n++) await settled();
    assert.equal(streams.length, requests);
  });

  test("hangs up on who does not greet in time, and only then", async () => {
    const silent = pair();
    const polite = pair();
    silent.client.write(preface);
    polite.client.write(greeting);
    await settled();
    mock.timers.tick(9_999);
    assert.equal(silent.server.destroyed, false);
    mock.timers.tick(1);
    assert.equal(silent.server.destroyed, true);
    mock.timers.tick(100_000);
    assert.equal(polite.server.destroyed, false);
  });

  test("tells who breaks the rules what was wrong, and hangs up when it has had time to read that", async () => {
    const { client, server, heard, streams, closed } = pair();
    client.write(Buffer.concat([greeting, open(1), frame(9, 4, 1), open(3)]));
    await settled();
    const goaway = heard().at(-1);
    assert.deepEqual([goaway?.type, goaway?.payload.readUInt32BE(4)], [7, errorCode.protocol]);
    assert.equal(server.writableEnded, true);
    assert.deepEqual([streams.length, closed()], [1, 1]);
    mock.timers.tick(999);
    assert.equal(server.destroyed, false);
    mock.timers.tick(1);
    assert.equal(server.destroyed, true);
  });

  test("waits no longer for a rule breaker that does not read", async () => {
    const { client, server, streams } = pair(undefined, { reads: false });
    client.write(Buffer.concat([greeting, settings([4, 2 ** 30]), frame(8, 0, 0, uint32(2 ** 30)), open(1, { end: true })]));
    await settled();
    streams[0]?.write(Buffer.alloc(500_000));
    await settled();
    client.write(frame(9, 4, 1));
    await settled();
    mock.timers.tick(1_000);
    assert.equal(server.destroyed, true);
  });

  test("finishes: the last answer is read to its end, however slowly, before anybody hangs up", async () => {
    const { client, server, connection, streams, closed } = pair(undefined, { reads: false });
    client.write(Buffer.concat([greeting, settings([4, 2 ** 30]), frame(8, 0, 0, uint32(2 ** 30)), open(1, { end: true })]));
    await settled();
    connection.finish();
    streams[0]?.respond(ok, false);
    streams[0]?.writeLast([Buffer.alloc(400_000)]);
    await settled();
    mock.timers.tick(1_000_000);
    assert.equal(server.destroyed, false);
    const pieces: Buffer[] = [];
    client.on("data", (bytes: Buffer) => pieces.push(bytes));
    await settled();
    const frames = framesOf(Buffer.concat(pieces));
    assert.equal(
      frames.reduce((sum, { type, payload }) => sum + (type === 0 ? payload.length : 0), 0),
      400_000,
    );
    assert.ok(frames.some(({ type }) => type === 7));
    assert.equal(closed(), 1);
    assert.equal(server.writableFinished, true);
    mock.timers.tick(999);
    assert.equal(server.destroyed, false);
    mock.timers.tick(1);
    assert.equal(server.destroyed, true);
  });

  test("finishes: an answer that is complete while the socket is full is sent as well", async () => {
    const { client, connection, streams } = pair(undefined, { reads: false });
    client.write(
      Buffer.concat([
        greeting,
        settings([4, 2 ** 30]),
        frame(8, 0, 0, uint32(2 ** 30)),
        open(1, { end: true }),
        open(3, { end: true }),
      ]),
    );
    await settled();
    streams[0]?.writeLast([Buffer.alloc(150_000)]);
    await settled();
    connection.finish();
    streams[1]?.writeLast([Buffer.from("last")]);
    await settled();
    const pieces: Buffer[] = [];
    client.on("data", (bytes: Buffer) => pieces.push(bytes));
    await settled();
    assert.deepEqual(framesOf(Buffer.concat(pieces)).at(-1)?.payload, Buffer.from("last"));
  });

  test("ends at once: the client has what was said, and nothing else happens", async () => {
    const { client, server, connection, streams, heard, closed } = pair();
    client.write(Buffer.concat([greeting, open(1, { end: true })]));
    await settled();
    streams[0]?.respond(ok, false);
    connection.end();
    assert.deepEqual([server.destroyed, closed()], [true, 1]);
    await settled();
    assert.deepEqual(
      heard().map(({ type }) => type),
      [4, 8, 4, 1, 7],
    );
    mock.timers.tick(100_000);
  });

  test("that is closed leaves no timer behind", async () => {
    for (const said of [preface, Buffer.concat([greeting, frame(9, 4, 1)])]) {
      const { client, server } = pair();
      client.write(said);
      await settled();
      server.destroy();
      await settled();
      const destroy = mock.method(server, "destroy");
      mock.timers.tick(100_000);
      assert.equal(destroy.mock.callCount(), 0);
    }
  });

  test("that breaks ends every request, without an error of ours", async () => {
    const { client, server, streams, closed } = pair();
    client.write(Buffer.concat([greeting, open(1), open(3)]));
    await settled();
    server.destroy(new Error("ECONNRESET"));
    await settled();
    assert.equal(closed(), 2);
    for (const stream of streams) {
      assert.equal(stream.open, false);
      stream.write(Buffer.from("late"));
    }
    await settled();
  });
});
