// gRPC calls as node:http2's client makes them and sees them, without a port between.
import assert from "node:assert/strict";
import { type ClientHttp2Session, connect, constants } from "node:http2";
import { duplexPair } from "node:stream";
import { suite, test } from "node:test";
import { serveHttp2 } from "#base";
import { GrpcCalls, type GrpcMethod } from "./grpc-calls.ts";

const mebibyte = 1024 * 1024;

/** A server behind a pipe. */
class Server implements Disposable {
  readonly session: ClientHttp2Session;
  readonly #calls: GrpcCalls;

  constructor(methods: Readonly<Record<string, GrpcMethod>>, settings = {}) {
    const [near, far] = duplexPair();
    this.#calls = new GrpcCalls({
      methods: new Map(Object.entries(methods)),
      failure: (error) => ({ code: 9, message: (error as Error).message }),
      maxMessageBytes: 4 * mebibyte,
    });
    serveHttp2(far, { streams: 1000, accept: (head, stream) => this.#calls.accept(head, stream) });
    this.session = connect("http://pipe", { createConnection: () => near, settings });
  }

  get unread(): number[] {
    return this.#calls.unread();
  }

  /** Status, message and answers of a call. */
  async call(
    path: string,
    messages: readonly Buffer[],
    headers = {},
  ): Promise<{ status: unknown; text: unknown; answers: Buffer }> {
    const stream = this.session.request({ ":method": "POST", ":path": path, "content-type": "application/grpc", ...headers });
    let [status, text]: unknown[] = [];
    const note = (fields: NodeJS.Dict<unknown>): void => {
      status ??= fields["grpc-status"];
      text ??= fields["grpc-message"];
    };
    stream.on("response", note);
    stream.on("trailers", note);
    for (const each of messages) stream.write(framed(each));
    stream.end();
    const answers = await stream.toArray();
    return { status, text, answers: Buffer.concat(answers) };
  }

  [Symbol.dispose](): void {
    this.session.destroy();
  }
}

const framed = (message: Uint8Array): Buffer => {
  const prefix = Buffer.alloc(5);
  prefix.writeUInt32BE(message.length, 1);
  return Buffer.concat([prefix, message]);
};

const echo: GrpcMethod = { kind: "unary", answer: async (message) => Buffer.from(message) };

suite("unary calls", () => {
  test("a request is answered, alone and among many", async () => {
    using server = new Server({ "/echo": echo });
    const bodies = Array.from({ length: 200 }, (_, index) => Buffer.alloc(index * 10, index));
    const answers = await Promise.all(bodies.map((body) => server.call("/echo", [body])));
    answers.forEach(({ status, answers: bytes }, index) => {
      assert.equal(status, "0");
      assert.deepEqual(bytes, framed(bodies[index] as Buffer));
    });
  });

  test("messages larger than any window go both ways", async () => {
    using server = new Server({ "/echo": echo });
    const body = Buffer.alloc(3 * mebibyte, "0123456789");
    const { answers } = await server.call("/echo", [body]);
    assert.ok(answers.equals(framed(body)));
  });

  test("a method that throws, at once or later, fails with its code and text", async () => {
    using server = new Server({
      "/now": {
        kind: "unary",
        answer: () => {
          throw new Error("100 % größer");
        },
      },
      "/later": { kind: "unary", answer: () => Promise.reject(new Error("later")) },
    });
    assert.deepEqual(await server.call("/now", [Buffer.from("x")]), {
      status: "9",
      text: "100 %25 gr%C3%B6%C3%9Fer",
      answers: Buffer.alloc(0),
    });
    assert.equal((await server.call("/later", [Buffer.from("x")])).text, "later");
  });

  const refused: readonly (readonly [name: string, path: string, messages: readonly Buffer[], status: string, text: RegExp])[] = [
    ["an unknown method", "/other", [Buffer.alloc(1)], "12", /unknown method \/other/],
    ["a request without a message", "/echo", [], "13", /no message/],
    ["a request that is too large", "/echo", [Buffer.alloc(5 * mebibyte)], "8", /larger than max \(5242880 vs. 4194304\)/],
  ];
  for (const [name, path, messages, status, text] of refused) {
    test(`${name} is refused, and the connection serves the next`, async () => {
      using server = new Server({ "/echo": echo });
      const answer = await server.call(path, messages);
      assert.equal(answer.status, status);
      assert.match(String(answer.text), text);
      assert.equal((await server.call("/echo", [Buffer.from("x")])).status, "0");
    });
  }

  test("who does not speak gRPC is told in words", async () => {
    using server = new Server({ "/echo": echo });
    const stream = server.session.request({ ":path": "/" });
    const status = new Promise((resolve) => stream.on("response", (headers) => resolve(headers[":status"])));
    assert.match(Buffer.concat(await stream.toArray()).toString(), /gRPC only/);
    assert.equal(await status, 415);
  });

  test("header values of any byte come through the Huffman code", async () => {
    using server = new Server({});
    const bytes = Array.from({ length: 256 }, (_, byte) => String.fromCharCode(byte)).filter((char) =>
      /[!-~\x80-\xff]/.test(char),
    );
    for (const char of bytes) {
      // a short code follows often enough for the client to choose Huffman
      const path = `/${"a".repeat(40)}${char}${"e".repeat(40)}`;
      const { text } = await server.call(path, [Buffer.alloc(1)]);
      assert.equal(decodeURIComponent(String(text)), `unknown method ${path}`);
    }
  });
});

suite("streams", () => {
  test("messages go both ways until the client ends its part", async () => {
    const ends: string[] = [];
    using server = new Server({
      "/stream": {
        kind: "stream",
        endsWithClient: true,
        open: (stream) => ({
          message: (message) => void stream.send(Buffer.from(`<${message}>`)),
          drained: () => {},
          end: () => ends.push("end"),
        }),
      },
    });
    const { status, answers } = await server.call("/stream", [Buffer.from("a"), Buffer.from("b")]);
    assert.equal(status, "0");
    assert.equal(answers.toString("latin1").replaceAll(/\0\0\0\0./g, ""), "<a><b>");
    assert.ok(ends.length > 0);
  });

  test("a client that does not read is not read from, and goes on where it was", async () => {
    const asked: number[] = [];
    const second = Promise.withResolvers<void>();
    let drained = 0;
    using server = new Server(
      {
        "/stream": {
          kind: "stream",
          endsWithClient: true,
          open: (stream) => ({
            message: (message) => {
              if (asked.push(message.readUInt8(0)) === 2) second.resolve();
              stream.send(Buffer.alloc(200_000, message.readUInt8(0)));
            },
            drained: () => drained++,
            end: () => {},
          }),
        },
      },
      { initialWindowSize: 65_535 },
    );
    const stream = server.session.request({ ":method": "POST", ":path": "/stream", "content-type": "application/grpc" });
    for (let n = 0; n < 20; n++) stream.write(framed(Buffer.from([n])));
    stream.end();
    await second.promise;
    await pings(server.session, 3);
    assert.ok(asked.length < 5, `${asked.length} messages were taken`);
    assert.ok((server.unread[0] ?? 0) > 200_000 && (server.unread[0] ?? 0) < 600_000, `${server.unread[0]} bytes wait`);
    const all = Buffer.concat(await stream.toArray());
    assert.equal(all.length, 20 * 200_005);
    assert.deepEqual(
      asked,
      Array.from({ length: 20 }, (_, n) => n),
    );
    assert.ok(drained > 0);
    assert.deepEqual(server.unread, []);
  });

  test("a handler hears when its client gives up, and one that fails says why", async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    using server = new Server({
      "/wait": { kind: "stream", endsWithClient: true, open: () => ({ message: () => {}, drained: () => {}, end: resolve }) },
      "/fail": {
        kind: "stream",
        endsWithClient: true,
        open: () => ({
          message: () => {
            throw new Error("no");
          },
          drained: () => {},
          end: () => {},
        }),
      },
    });
    const stream = server.session.request({ ":method": "POST", ":path": "/wait", "content-type": "application/grpc" });
    await new Promise((done) => stream.once("response", done));
    stream.close(constants.NGHTTP2_CANCEL);
    await promise;
    const failed = await server.call("/fail", [Buffer.from("x")]);
    assert.deepEqual([failed.status, failed.text], ["9", "no"]);
  });
});

/** What was said before has been heard on both sides. */
async function pings(session: ClientHttp2Session, count: number): Promise<void> {
  for (let n = 0; n < count; n++) await new Promise((resolve) => session.ping(resolve));
}
