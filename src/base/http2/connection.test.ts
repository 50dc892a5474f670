// What clients may do on a connection, what ends a stream or the connection, and what a hostile one cannot make grow.
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { limits, type ResponseStream } from "./contract.ts";
import { errorCode } from "./frames.ts";
import { Client, frame, headerBlock, open, preface, requestFields, settings, uint32 } from "./testing/client.ts";

const ok = [{ name: ":status", value: "200" }];
const trailers = [{ name: "grpc-status", value: "0" }];
const ping = frame(6, 0, 0, Buffer.alloc(8, 1));

test("a connection begins with our settings and a window; the client's are acknowledged", () => {
  const client = new Client({ silent: true });
  client.say(preface, settings([4, 100]), ping);
  assert.deepEqual(
    client.hear().map(({ type, flags, payload }) => [type, flags, payload.length]),
    [
      [4, 0, 18],
      [8, 0, 4],
      [4, 1, 0],
      [6, 1, 8],
    ],
  );
  assert.equal(client.connection.settled, true);
});

test("a request is heard in order: head, data without its padding, end", () => {
  const client = new Client();
  const padded = frame(0, 8, 1, Buffer.from("\x03one\0\0\0", "latin1"));
  client.say(open(1), padded, frame(0, 1, 1, Buffer.from("two")));
  const { head, events } = client.request();
  assert.deepEqual([head.method, head.path], ["POST", "/a"]);
  assert.deepEqual(events, ["data one", "data two", "end"]);
});

test("a request's headers may come in pieces, with a priority that is not followed", () => {
  const client = new Client();
  const block = headerBlock(requestFields());
  const priority = Buffer.concat([uint32(3), Buffer.from([7])]);
  client.say(
    frame(1, 0x21, 1, Buffer.concat([priority, block.subarray(0, 2)])),
    frame(9, 0, 1, block.subarray(2, 3)),
    frame(9, 4, 1, block.subarray(3)),
  );
  assert.deepEqual(client.request().events, ["end"]);
});

test("a response goes out as headers, data and trailers, and the stream is gone", () => {
  const client = new Client();
  client.say(open(1, { end: true }));
  const { stream, events } = client.request();
  stream.respond(ok, false);
  stream.write(Buffer.from("answer"));
  stream.end(trailers);
  assert.deepEqual(
    client.hear().map(({ type, flags }) => [type, flags]),
    [
      [1, 4],
      [0, 0],
      [1, 5],
    ],
  );
  assert.deepEqual(events, ["end", "closed"]);
  assert.equal(stream.open, false);
});

test("a response that is complete before its request does not want the rest of it", () => {
  const client = new Client();
  client.say(open(1));
  const { stream } = client.request();
  stream.respond(ok, true);
  stream.stopRequest();
  assert.deepEqual(
    client.hear().map(({ type, payload }) => [type, type === 3 ? payload.readUInt32BE(0) : undefined]),
    [
      [1, undefined],
      [3, errorCode.none],
    ],
  );
  client.say(frame(0, 0, 1, Buffer.from("late")), frame(0, 1, 1));
  assert.deepEqual(client.hear(), []); // it could not have known
});

test("data waits for the windows of stream and connection, and streams take turns", () => {
  const client = new Client();
  client.say(settings([4, 40_000]), open(1, { end: true }), open(3, { end: true }));
  client.hear();
  for (const index of [0, 1]) {
    client.request(index).stream.respond(ok, false);
    client.request(index).stream.write(Buffer.alloc(50_000));
  }
  const data = (): number[][] =>
    client
      .hear()
      .filter(({ type }) => type === 0)
      .map(({ stream, payload }) => [stream, payload.length]);
  assert.deepEqual(data(), [
    [1, 16_384],
    [3, 16_384],
    [1, 16_384],
    [3, 16_383], // 65,535 of the connection
  ]);
  assert.equal(client.request(0).stream.unreadBytes, 50_000 - 32_768);
  client.say(frame(8, 0, 0, uint32(100_000)));
  assert.deepEqual(data(), [
    [1, 40_000 - 32_768],
    [3, 40_000 - 32_767],
  ]);
  client.say(settings([4, 30_000]), frame(8, 0, 1, uint32(10_001)));
  assert.deepEqual(data(), [[1, 1]]); // its window had been 10,000 below zero
  client.request(0).stream.end(trailers);
  client.say(settings([4, 60_000]));
  assert.deepEqual(data(), [
    [1, 9_999],
    [3, 10_000],
  ]);
  assert.deepEqual(client.request(0).events, ["end", "closed"]);
  assert.deepEqual(client.request(1).events, ["end", "drained"]);
});

test("what a program writes because its stream has drained is announced while the rest is being taken", () => {
  let announced = 0;
  const client = new Client({ output: () => announced++, drained: (stream) => stream.write(Buffer.from("more")) });
  client.say(settings([4, 10]), open(1, { end: true }));
  const { stream } = client.request();
  stream.write(Buffer.alloc(20));
  client.hear();
  client.say(frame(8, 0, 1, uint32(12)));
  announced = 0;
  assert.deepEqual(
    client.hear().map(({ payload }) => payload.length),
    [10, 2],
  );
  assert.ok(announced > 0);
  announced = 0;
  client.say(frame(8, 0, 1, uint32(12)));
  assert.ok(announced > 0, "what comes later is announced again");
});

test("the client hears that it may send more when half of a window is dealt with", () => {
  const client = new Client();
  client.say(open(1));
  const piece = frame(0, 0, 1, Buffer.alloc(16_384));
  for (let sent = 0; sent < limits.streamWindow / 2; sent += 16_384) {
    client.say(piece);
    assert.deepEqual(client.hear(), []);
  }
  client.request().stream.consumed(limits.streamWindow / 2);
  assert.deepEqual(
    client.hear().map(({ type, stream, payload }) => [type, stream, payload.readUInt32BE(0)]),
    [[8, 1, limits.streamWindow / 2]],
  );
});

test("a stream whose data is not dealt with takes a window and no more", () => {
  const client = new Client();
  client.say(open(1));
  for (let sent = 0; sent < limits.streamWindow; sent += 16_384) client.say(frame(0, 0, 1, Buffer.alloc(16_384)));
  client.hear();
  assert.equal(client.resetAfter(frame(0, 0, 1, Buffer.alloc(1))), errorCode.flowControl);
  assert.equal(client.request().events.at(-1), "closed");
});

suite("the connection ends when", () => {
  const { protocol, frameSize, flowControl, streamClosed, compression } = errorCode;
  const wrong: readonly (readonly [name: string, code: number, ...frames: readonly Buffer[]])[] = [
    ["a frame is larger than we take", frameSize, frame(0, 0, 1, Buffer.alloc(16_385))],
    ["a client opens an even stream", protocol, open(2)],
    ["a stream is opened behind a later one", streamClosed, open(3, { end: true }), open(1)],
    ["data comes for a stream that was never opened", protocol, frame(0, 0, 1)],
    ["a header block is interrupted", protocol, frame(1, 0, 1, headerBlock(requestFields())), ping],
    ["CONTINUATION continues nothing", protocol, frame(9, 4, 1)],
    ["padding is longer than its frame", protocol, open(1), frame(0, 8, 1, [4, 0, 0])],
    ["a header block cannot be decompressed", compression, frame(1, 5, 1, [0x80])],
    ["a client pushes", protocol, frame(5, 4, 1, uint32(2))],
    ["a stream depends on itself", protocol, frame(2, 0, 3, [0, 0, 0, 3, 0])],
    ["RST_STREAM names a stream that was never opened", protocol, frame(3, 0, 1, uint32(8))],
    ["RST_STREAM has no code", frameSize, open(1), frame(3, 0, 1)],
    ["SETTINGS are cut", frameSize, frame(4, 0, 0, [0, 4, 0])],
    ["SETTINGS are of a stream", protocol, frame(4, 0, 1)],
    ["an acknowledgement says something", frameSize, frame(4, 1, 0, Buffer.alloc(6))],
    ["ENABLE_PUSH is 2", protocol, settings([2, 2])],
    ["MAX_FRAME_SIZE is too small", protocol, settings([5, 16_383])],
    ["MAX_FRAME_SIZE is too large", protocol, settings([5, 2 ** 24])],
    ["INITIAL_WINDOW_SIZE is too large", flowControl, settings([4, 2 ** 31])],
    ["SETTINGS make a window too large", flowControl, open(1), frame(8, 0, 1, uint32(2 ** 31 - 65_536)), settings([4, 65_537])],
    ["PING has the wrong length", frameSize, frame(6, 0, 0, [1])],
    ["PING is of a stream", protocol, frame(6, 0, 1, Buffer.alloc(8))],
    ["GOAWAY is cut", frameSize, frame(7, 0, 0, [1])],
    ["the connection's window is opened by nothing", protocol, frame(8, 0, 0, uint32(0))],
    ["the connection's window becomes too large", flowControl, frame(8, 0, 0, uint32(2 ** 31 - 1))],
    ["a window is opened on a stream that was never opened", protocol, frame(8, 0, 1, uint32(1))],
  ];
  for (const [name, code, ...frames] of wrong) {
    test(name, () => {
      const client = new Client();
      assert.equal(client.goawayAfter(...frames), code);
      assert.ok(client.connection.failure !== undefined);
      for (const { events } of client.requests) assert.equal(events.at(-1), "closed");
      client.say(ping);
      assert.deepEqual(client.hear(), [], "it hears nothing any more");
    });
  }

  test("the client does not speak HTTP/2, however slowly it says so", () => {
    for (const text of ["GET / HTTP/1.1\r\n\r\n", "PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n"]) {
      const client = new Client({ silent: true });
      assert.equal(client.goawayAfter(...Array.from(Buffer.from(text), (byte) => Buffer.from([byte]))), protocol);
      assert.equal(client.connection.settled, false);
    }
  });

  test("its first frame is not SETTINGS", () => {
    assert.equal(new Client({ silent: true }).goawayAfter(preface, ping), protocol);
  });

  test("the server shuts down: the client hears which streams were served", () => {
    const client = new Client();
    client.say(open(5));
    client.connection.shutDown();
    const [goaway] = client.hear();
    assert.deepEqual([goaway?.payload.readUInt32BE(0), goaway?.payload.readUInt32BE(4)], [5, errorCode.none]);
    assert.deepEqual(client.request().events, ["closed"]);
  });
});

suite("a stream ends, and only it, when", () => {
  const { protocol, streamClosed, flowControl } = errorCode;
  const more = (name: string, value: string) => open(1, { end: true, more: [{ name, value }] });
  const wrong: readonly (readonly [name: string, code: number, ...frames: readonly Buffer[]])[] = [
    ["data follows its end", streamClosed, open(1, { end: true }), frame(0, 0, 1)],
    ["trailers follow its end", streamClosed, open(1, { end: true }), frame(1, 5, 1)],
    ["its trailers do not end it", protocol, open(1), frame(1, 4, 1)],
    ["its trailers have pseudo-headers", protocol, open(1), frame(1, 5, 1, headerBlock([{ name: ":path", value: "/" }]))],
    ["its window is opened by nothing", protocol, open(1), frame(8, 0, 1, uint32(0))],
    ["its window becomes too large", flowControl, open(1), frame(8, 0, 1, uint32(2 ** 31 - 1))],
    ["a name has capitals", protocol, more("Name", "x")],
    ["a name is empty", protocol, more("", "x")],
    ["a value has a line break", protocol, more("name", "x\r\ny")],
    ["a field is of HTTP/1.1", protocol, more("transfer-encoding", "chunked")],
    ["te asks for more than trailers", protocol, more("te", "gzip")],
    ["a pseudo-header is unknown", protocol, more(":other", "x")],
    ["a pseudo-header comes twice", protocol, more(":path", "/b")],
    ["a pseudo-header is missing", protocol, frame(1, 5, 1, headerBlock(requestFields().slice(1)))],
    ["it has less than it says", protocol, open(1, { more: [{ name: "content-length", value: "4" }] }), frame(0, 1, 1, [1])],
    ["it has more than it says", protocol, open(1, { more: [{ name: "content-length", value: "1" }] }), frame(0, 0, 1, [1, 2])],
    ["its length is not a number", protocol, more("content-length", "-1")],
  ];
  for (const [name, code, ...frames] of wrong) {
    test(name, () => {
      const client = new Client();
      assert.equal(client.resetAfter(...frames), code);
      assert.equal(client.connection.failure, undefined);
      client.say(open(3, { end: true }));
      assert.deepEqual(client.requests.at(-1)?.events, ["end"], "the next one is served");
    });
  }
});

suite("a hostile client", () => {
  const calm = errorCode.enhanceYourCalm;

  test("that gives up what it asks for, again and again, is sent away (CVE-2023-44487)", () => {
    const client = new Client();
    let id = 1;
    const flood = (): Buffer => {
      const frames = Buffer.concat([open(id, { end: true }), frame(3, 0, id, uint32(8))]);
      id += 2;
      return frames;
    };
    for (let n = 0; n < limits.resets; n++) client.say(flood());
    assert.equal(client.connection.failure, undefined);
    assert.equal(client.goawayAfter(flood()), calm);
  });

  test("that makes us give up its streams is sent away as well (CVE-2025-8671)", () => {
    const client = new Client();
    for (let n = 0; n <= limits.resets; n++) {
      client.say(open(2 * n + 1), frame(8, 0, 2 * n + 1, uint32(0)));
      if (n < limits.resets) client.hear();
    }
    assert.equal(client.hear().at(-1)?.payload.readUInt32BE(4), calm);
  });

  for (const [name, answer] of [
    ["bodies", (stream) => stream.write(Buffer.from("x"))],
    ["heads", (stream) => stream.respond(ok, false)],
  ] as const satisfies (readonly [string, (stream: ResponseStream) => void])[])
    test(`whose streams get the ${name} of their answers may give up as many as it likes`, () => {
      const client = new Client();
      for (let n = 0; n < 3 * limits.resets; n++) {
        client.say(open(2 * n + 1));
        answer(client.request(n).stream);
        client.say(frame(3, 0, 2 * n + 1, uint32(8)));
        client.hear();
        client.say(frame(8, 0, 0, uint32(1)));
      }
      assert.equal(client.connection.failure, undefined);
    });

  test("whose streams get a head before anybody looks at them has had no answer", () => {
    const client = new Client({ accepted: (stream) => stream.respond(ok, false) });
    for (let n = 0; n <= limits.resets; n++) {
      client.say(open(2 * n + 1), frame(3, 0, 2 * n + 1, uint32(8)));
      if (n < limits.resets) client.hear();
    }
    assert.equal(client.hear().at(-1)?.payload.readUInt32BE(4), calm);
  });

  test("does not get rid of the work that it has caused by giving it up", () => {
    const streams = 20;
    const client = new Client({ streams });
    for (let n = 0; n < streams; n++) client.say(open(2 * n + 1));
    client.hear();
    const next = (n: number): Buffer => open(2 * (streams + n) + 1);
    assert.equal(client.resetAfter(next(0)), errorCode.refusedStream);
    const { stream } = client.request();
    stream.working = true;
    client.say(frame(3, 0, 1, uint32(8)));
    assert.equal(client.resetAfter(next(1)), errorCode.refusedStream, "the program still works for it");
    stream.working = false;
    assert.equal(client.resetAfter(next(2)), undefined);
  });

  test("that sends headers without end is sent away, in bytes and in frames", () => {
    for (const piece of [Buffer.alloc(16_384, 0x82), Buffer.alloc(0)]) {
      const client = new Client();
      client.say(frame(1, 0, 1, piece));
      for (let n = 0; n < limits.headerFrames; n++) client.say(frame(9, 0, 1, piece));
      assert.equal(client.hear().at(-1)?.payload.readUInt32BE(4), calm);
      assert.deepEqual(client.requests, []);
    }
  });

  test("that asks for answers which it does not read is sent away", () => {
    for (const each of [ping, settings([4, 1])]) {
      const client = new Client();
      for (let n = 0; n < limits.controlAnswers; n++) client.say(each);
      assert.equal(client.connection.failure, undefined);
      client.say(each);
      assert.ok(client.connection.failure !== undefined);
      assert.equal(client.hear().filter(({ type }) => type === 7).length, 1);
    }
  });

  test("whose header list is too large gets 431 and keeps its connection", () => {
    const client = new Client();
    const large = { name: "x", value: "y".repeat(3000), repeated: true };
    const block = headerBlock(requestFields([large, ...Array(30).fill(large)]));
    client.say(frame(1, 4, 1, block));
    const [headers, reset] = client.hear();
    assert.deepEqual([headers?.type, headers?.flags, reset?.type], [1, 5, 3]);
    assert.deepEqual(client.requests, []);
    client.say(open(3, { end: true }));
    assert.equal(client.requests.length, 1);
  });

  test("that reads nothing keeps what it does not read in its stream, where it is counted", () => {
    const client = new Client();
    client.say(settings([4, 2 ** 31 - 1]), frame(8, 0, 0, uint32(2 ** 30)), open(1, { end: true }));
    const { stream } = client.request();
    stream.respond(ok, false);
    for (let n = 0; n < 100; n++) stream.write(Buffer.alloc(16_384));
    assert.ok(client.connection.backlog < 300 * 1024, `${client.connection.backlog} bytes wait for the socket`);
    assert.ok(stream.unreadBytes > 1_300_000);
    client.say(frame(3, 0, 1, uint32(8)));
    assert.equal(stream.unreadBytes, 0);
  });
});
