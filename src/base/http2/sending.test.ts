// The way out: in which frames an answer leaves, how much waits where, and that nothing is lost, doubled or out of order.
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { reuse } from "./output.ts";
import { Client, frame, type HeardFrame, open, settings, uint32 } from "./testing/client.ts";

const ok = [{ name: ":status", value: "200" }];
const data = (frames: readonly HeardFrame[]): [stream: number, bytes: number, end: boolean][] =>
  frames.filter(({ type }) => type === 0).map(({ stream, payload, flags }) => [stream, payload.length, (flags & 1) !== 0]);

/** A client with windows as large as they can be, and one request. */
function wide(...more: readonly (readonly [number, number])[]): Client {
  const client = new Client();
  client.say(settings([4, 2 ** 31 - 1], ...more), frame(8, 0, 0, uint32(2 ** 31 - 1 - 65_535)), open(1, { end: true }));
  client.request().stream.respond(ok, false);
  client.hear();
  return client;
}

suite("the last bytes of an answer", () => {
  test("end it, without a frame of their own for that", () => {
    const client = wide();
    client.request().stream.writeLast([Buffer.alloc(10)]);
    assert.deepEqual(data(client.hear()), [[1, 10, true]]);
    assert.deepEqual(client.request().events, ["end", "closed"]);
  });

  test("end it when they are none", () => {
    const client = wide();
    client.request().stream.write(Buffer.alloc(0));
    client.request().stream.writeLast([Buffer.alloc(0)]);
    assert.deepEqual(data(client.hear()), [[1, 0, true]]);
  });

  test("end it behind others that wait, and in as many frames as they need", () => {
    const client = new Client();
    client.say(settings([4, 100]), open(1, { end: true }));
    const { stream, events } = client.request();
    stream.write(Buffer.alloc(150));
    stream.writeLast([Buffer.alloc(20_000)]);
    assert.equal(stream.open, false);
    stream.write(Buffer.alloc(1)); // too late
    stream.writeLast([Buffer.alloc(1)]);
    assert.deepEqual(data(client.hear()), [[1, 100, false]]);
    client.say(frame(8, 0, 1, uint32(50)));
    assert.deepEqual(data(client.hear()), [[1, 50, false]]);
    client.say(frame(8, 0, 1, uint32(20_000)));
    assert.deepEqual(data(client.hear()), [
      [1, 16_384, false],
      [1, 3_616, true],
    ]);
    assert.deepEqual(events, ["end", "closed"]);
  });

  test("wait for a window like any others, and are the end even if nothing else waited", () => {
    const client = new Client();
    client.say(settings([4, 0]), open(1, { end: true }));
    client.request().stream.writeLast([Buffer.alloc(5)]);
    assert.deepEqual(data(client.hear()), []);
    client.say(frame(8, 0, 1, uint32(5)));
    assert.deepEqual(data(client.hear()), [[1, 5, true]]);
  });

  test("that waited alone end it too when the program says so afterwards", () => {
    const client = new Client();
    client.say(settings([4, 0]), open(1, { end: true }));
    client.request().stream.write(Buffer.alloc(5));
    client.request().stream.end([]);
    client.say(frame(8, 0, 1, uint32(5)));
    assert.deepEqual(data(client.hear()), [[1, 5, true]]);
  });
});

test("frames are as large as the client allows, up to 64 KiB, so that streams take turns", () => {
  for (const [allowed, bytes] of [
    [16_384, 16_384],
    [20_000, 20_000],
    [2 ** 24 - 1, 65_536],
  ] as const) {
    const client = wide([5, allowed]);
    client.request().stream.write(Buffer.alloc(100_000));
    assert.equal(data(client.hear())[0]?.[1], bytes);
  }
});

test("what was sent is used again for what is sent next, and never before", () => {
  const client = wide();
  const { stream } = client.request();
  const send = (bytes: number, fill: string): Buffer<ArrayBuffer> => {
    stream.write(Buffer.alloc(bytes, fill));
    const [taken, ...rest] = client.connection.take();
    assert.deepEqual(rest, []);
    return taken as Buffer<ArrayBuffer>; // there is something to take
  };
  for (const bytes of [100, 100_000]) {
    const first = send(bytes, "a");
    const second = send(bytes, "b");
    assert.notEqual(first.buffer, second.buffer);
    assert.equal(first.at(-1), 97);
    reuse(first);
    assert.equal(send(bytes, "c").buffer, first.buffer);
    assert.equal(second.at(-1), 98);
  }
});

test("an answer in thousands of pieces leaves in frames as large as one in a single piece", () => {
  const client = wide();
  const pieces = Array.from({ length: 10_000 }, (_, index) => Buffer.from(`${index},`));
  const whole = Buffer.concat(pieces);
  client.request().stream.writeLast(pieces);
  const heard: HeardFrame[] = [];
  while (client.connection.pending) heard.push(...client.hear());
  assert.deepEqual(data(heard), [
    [1, 16_384, false],
    [1, 16_384, false],
    [1, whole.length - 2 * 16_384, true],
  ]);
  assert.ok(Buffer.concat(heard.map(({ payload }) => payload)).equals(whole));
});

test("bytes are what was written, whatever the sizes, and however they wait", () => {
  const sizes = [1, 4_096, 4_097, 16_383, 16_384, 16_385, 300_000, 9, 70_000];
  const client = wide();
  const { stream } = client.request();
  const written = sizes.map((size, index) => Buffer.alloc(size, index + 1));
  for (const bytes of written) stream.write(bytes);
  const heard: Buffer[] = [];
  while (client.connection.pending) for (const { type, payload } of client.hear()) if (type === 0) heard.push(payload);
  assert.ok(Buffer.concat(heard).equals(Buffer.concat(written)));
  assert.deepEqual(client.request().events, ["end", "drained"]);
});

test("headers larger than a frame leave in pieces, the last of which says so", () => {
  for (const [bytes, flags] of [
    [10_000, [[1, 5]]],
    [
      20_000,
      [
        [1, 1],
        [9, 4],
      ],
    ],
    [
      40_000,
      [
        [1, 1],
        [9, 0],
        [9, 4],
      ],
    ],
  ] as const) {
    const client = new Client();
    client.say(open(1, { end: true }));
    client.request().stream.respond([...ok, { name: "x", value: "y".repeat(bytes) }], true);
    const frames = client.hear();
    assert.deepEqual(
      frames.map((each) => [each.type, each.flags]),
      flags,
    );
    assert.ok(frames.every(({ payload }) => payload.length <= 16_384));
    assert.ok(
      Buffer.concat(frames.map(({ payload }) => payload))
        .toString("latin1")
        .endsWith("y".repeat(bytes)),
    );
  }
});

test("nothing is pending while the connection's window is closed, however much waits", () => {
  const client = new Client();
  client.say(settings([4, 2 ** 31 - 1]), open(1, { end: true }));
  client.request().stream.write(Buffer.alloc(100_000));
  client.hear();
  assert.equal(client.connection.pending, false);
  client.say(frame(8, 0, 0, uint32(1)));
  assert.equal(client.connection.pending, true);
  assert.deepEqual(data(client.hear()), [[1, 1, false]]);
});

test("small answers wait for the socket too once it has enough, and are not lost when their stream is given up", () => {
  const client = wide();
  const { stream } = client.request();
  for (let n = 0; n < 100; n++) stream.write(Buffer.alloc(4_000));
  assert.ok(stream.unreadBytes > 100_000);
  assert.ok(client.connection.backlog > 192 * 1024 && client.connection.backlog < 201_000);
  client.say(open(3, { end: true }));
  client.request(1).stream.respond(ok, false);
  client.request(1).stream.write(Buffer.from("other"));
  client.say(frame(3, 0, 1, uint32(8)));
  const frames = [...client.hear(), ...client.hear()];
  assert.deepEqual(data(frames).at(-1), [3, 5, false]);
  assert.ok(data(frames).filter(([id]) => id === 1).length < 70);
});
