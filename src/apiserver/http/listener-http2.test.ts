// One port as its clients see it: what becomes of requests over HTTP/2 that do not go as planned, and HTTP/1.1 beside them.
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { type ClientHttp2Session, type ClientHttp2Stream, connect, constants, type IncomingHttpHeaders } from "node:http2";
import { Agent, request as httpsRequest } from "node:https";
import { connect as connectPlain } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { connect as connectTls } from "node:tls";
import { seededRandom, systemClock, systemFiles, VirtualClock } from "#base";
import { ensurePki, type Pki } from "../security/mod.ts";
import type { BodyStream, Exchange } from "./exchange.ts";
import { type Listener, listen } from "./listener.ts";

const once = (emitter: NodeJS.EventEmitter, event: string): Promise<void> =>
  new Promise((resolve) => emitter.once(event, () => resolve()));

const ping = (session: ClientHttp2Session): Promise<void> => new Promise((resolve) => session.ping(() => resolve()));

/** A request, and what came back until the stream was closed. */
async function ask(session: ClientHttp2Session, headers: object = {}, body?: Buffer) {
  const stream = session.request(headers as IncomingHttpHeaders, { endStream: body === undefined });
  const pieces: Buffer[] = [];
  let head: IncomingHttpHeaders = {};
  let endsWithHead = false;
  stream.on("response", (received, flags) => {
    head = received;
    endsWithHead = (flags & constants.NGHTTP2_FLAG_END_STREAM) !== 0;
  });
  stream.on("data", (bytes: Buffer) => pieces.push(bytes));
  stream.on("error", () => {}); // "close" and `code` tell
  if (body !== undefined) stream.end(body);
  await once(stream, "close");
  return { status: head[":status"], head, endsWithHead, text: Buffer.concat(pieces).toString(), code: stream.rstCode };
}

describe("a listener", () => {
  let directory: string;
  let pki: Pki;

  before(async () => {
    directory = await mkdtemp(join(tmpdir(), "listener-"));
    pki = await ensurePki(directory, {
      files: systemFiles,
      clock: systemClock,
      random: seededRandom(1),
      serverNames: ["127.0.0.1"],
    });
  });
  after(() => rm(directory, { recursive: true }));

  interface Port extends AsyncDisposable {
    readonly listener: Listener;
    readonly session: ClientHttp2Session;
  }

  async function open(handle: (exchange: Exchange) => Promise<void> | void, settings = {}): Promise<Port> {
    const listener = await listen({
      address: "127.0.0.1",
      port: 0,
      cert: pki.apiserver.certificate,
      key: pki.apiserver.key,
      clock: new VirtualClock({ startMs: Date.UTC(2026, 0, 2, 3, 4, 5, 678) }),
      handle: async (exchange) => handle(exchange),
      upgrade: (_request, socket) => {
        socket.write("HTTP/1.1 101 Switching Protocols\r\nUpgrade: echo\r\nConnection: Upgrade\r\n\r\n");
        socket.pipe(socket);
      },
    });
    const session = connect(`https://127.0.0.1:${listener.port}`, { rejectUnauthorized: false, settings });
    session.on("error", () => {});
    await once(session, "remoteSettings");
    return {
      listener,
      session,
      [Symbol.asyncDispose]: async () => {
        session.destroy();
        await listener.close(0);
      },
    };
  }

  it("says the time, and ends an answer without a body with its head", async () => {
    await using port = await open((exchange) =>
      exchange.respond(200, { "x-two": ["a", "b"] }, exchange.method === "HEAD" ? [] : [Buffer.from("body"), Buffer.from("!")]),
    );
    const get = await ask(port.session);
    assert.deepEqual([get.status, get.text, get.endsWithHead], [200, "body!", false]);
    assert.equal(get.head["date"], "Fri, 02 Jan 2026 03:04:05 GMT");
    assert.equal(get.head["x-two"], "a, b");
    const head = await ask(port.session, { ":method": "HEAD" });
    assert.deepEqual([head.status, head.text, head.endsWithHead], [200, "", true]);
  });

  it("shows headers as upstream reads them: values apart where they count, the first where there is one", async () => {
    const seen: unknown[] = [];
    await using port = await open((exchange) => {
      seen.push(
        exchange.headers("impersonate-"),
        exchange.header("accept"),
        exchange.header("x-none"),
        exchange.allHeaders["cookie"],
      );
      exchange.respond(200, {}, []);
    });
    await ask(port.session, {
      "impersonate-group": ["a, b", "c"],
      "impersonate-user": "u",
      accept: ["text/plain", "*/*"],
      cookie: ["a=1", "b=2"],
    });
    assert.deepEqual(seen[0], [
      ["impersonate-group", ["a, b", "c"]],
      ["impersonate-user", ["u"]],
    ]);
    assert.deepEqual(seen.slice(1), ["text/plain, */*", undefined, "a=1; b=2"]);
  });

  it("reads bodies in one piece or many, up to the limit and not a byte more", async () => {
    await using port = await open(async (exchange) => {
      const body = await exchange.readBody(200_000);
      exchange.respond(body === undefined ? 413 : 200, {}, [Buffer.from(String(body?.length))]);
    });
    for (const size of [0, 1, 16_384, 200_000])
      assert.equal((await ask(port.session, { ":method": "POST" }, Buffer.alloc(size))).text, String(size));
    assert.equal((await ask(port.session, { ":method": "POST" })).text, "0");
    assert.equal((await ask(port.session, { ":method": "POST" }, Buffer.alloc(200_001))).status, 413);
  });

  it("answers a body that is too long while it is still being sent, and wants nothing more of it", async () => {
    await using port = await open(async (exchange) => {
      assert.equal(await exchange.readBody(1_000), undefined);
      exchange.respond(413, {}, [Buffer.from("no")]);
    });
    const stream = port.session.request({ ":method": "POST" }, { endStream: false });
    let status: unknown;
    stream.on("response", (head) => {
      status = head[":status"];
    });
    stream.resume().write(Buffer.alloc(100_000)); // and never ends
    await once(stream, "close");
    assert.deepEqual([status, stream.rstCode], [413, constants.NGHTTP2_NO_ERROR]);
    await ping(port.session);
  });

  it("lets a request that nobody reads take one window of its client's", async () => {
    const taken = Promise.withResolvers<void>();
    const answer = Promise.withResolvers<void>();
    await using port = await open(async (exchange) => {
      taken.resolve();
      await answer.promise;
      exchange.respond(200, {}, [Buffer.from(String((await exchange.readBody(2 ** 30))?.length))]);
    });
    const size = 5 * 2 ** 20;
    const asked = ask(port.session, { ":method": "POST" }, Buffer.alloc(size));
    await taken.promise;
    for (let n = 0; n < 3; n++) await ping(port.session);
    assert.ok((port.session.socket.bytesWritten ?? 0) < 1.5 * 2 ** 20, `${port.session.socket.bytesWritten} bytes were sent`);
    answer.resolve();
    assert.equal((await asked).text, String(size));
  });

  it("tells the handler that the client gave up: in the middle of its body, and while the answer is made", async () => {
    const begun: (() => void)[] = [];
    const heard: unknown[] = [];
    const both = Promise.withResolvers<void>();
    await using port = await open(async (exchange) => {
      const { signal } = exchange;
      begun.shift()?.();
      await exchange.readBody(1_000).catch((error: Error) => heard.push(error.message));
      if (!signal.aborted) await new Promise((resolve) => signal.addEventListener("abort", resolve));
      heard.push(signal.aborted);
      if (heard.length === 3) both.resolve();
    });
    for (const endStream of [false, true]) {
      const begins = new Promise<void>((resolve) => begun.push(resolve));
      const stream = port.session.request({ ":method": "POST" }, { endStream });
      stream.on("error", () => {});
      if (!endStream) stream.write("half");
      await begins;
      if (endStream) stream.close(constants.NGHTTP2_CANCEL);
      else stream.destroy(); // close() would end the body first
    }
    await both.promise;
    assert.deepEqual(heard.sort(), ["the client closed the connection before its request was complete", true, true]);
  });

  it("makes no more of a streamed answer than its client reads, and goes on when it does", async () => {
    const piece = Buffer.alloc(50_000, "x");
    let written = 0;
    const full = Promise.withResolvers<void>();
    const finished = Promise.withResolvers<void>();
    await using port = await open(
      async (exchange) => {
        const body = exchange.stream(200, {});
        const more = (): boolean => {
          written += piece.length;
          return body.write(piece);
        };
        while (more());
        full.resolve();
        await body.drained();
        for (let n = 0; n < 100; n++) if (!more()) await body.drained();
        body.end();
        finished.resolve();
      },
      { initialWindowSize: 100_000 },
    );
    const stream = port.session.request({});
    stream.pause();
    await full.promise;
    assert.ok(written <= 300_000, `${written} bytes were made`);
    let read = 0;
    for await (const bytes of stream) read += (bytes as Buffer).length;
    await finished.promise;
    assert.equal(read, written);
  });

  it("does not leave a handler waiting for a client that has gone", async () => {
    const waits = Promise.withResolvers<void>();
    const over = Promise.withResolvers<boolean>();
    await using port = await open(async (exchange) => {
      const body: BodyStream = exchange.stream(200, {});
      while (body.write(Buffer.alloc(50_000)));
      const drained = body.drained();
      waits.resolve();
      await drained;
      await body.drained();
      over.resolve(body.write(Buffer.alloc(100_000)));
      body.end();
    });
    const stream = port.session.request({});
    stream.on("error", () => {});
    await waits.promise;
    stream.close(constants.NGHTTP2_CANCEL);
    assert.equal(await over.promise, true, "there is nothing to wait for");
  });

  it("counts the work that a client has caused and given up (CVE-2023-44487)", async () => {
    const release = Promise.withResolvers<void>();
    let working = 0;
    await using port = await open(async (exchange) => {
      working++;
      await release.promise;
      exchange.respond(200, {}, []);
    });
    const streams: ClientHttp2Stream[] = [];
    for (let n = 0; n < 1_000; n++) streams.push(port.session.request({}).on("error", () => {}) as ClientHttp2Stream);
    await ping(port.session);
    assert.equal(working, 1_000);
    for (const stream of streams.slice(0, 500)) stream.close(constants.NGHTTP2_CANCEL);
    await ping(port.session);
    const refused = await ask(port.session);
    assert.equal(refused.code, constants.NGHTTP2_REFUSED_STREAM);
    assert.equal(working, 1_000);
    release.resolve();
    await Promise.all(streams.slice(500).map((stream) => once(stream.resume(), "close")));
    assert.equal((await ask(port.session)).status, 200);
  });

  it("sends a client elsewhere behind its answer, and finishes what else it has asked", async () => {
    const other = Promise.withResolvers<void>();
    await using port = await open(async (exchange) => {
      if (exchange.url === "/slow") await other.promise;
      else exchange.closeConnection();
      exchange.respond(exchange.url === "/slow" ? 200 : 401, {}, [Buffer.from("answer")]);
    });
    const slow = ask(port.session, { ":path": "/slow" });
    const goaway = new Promise<number>((resolve) => port.session.once("goaway", resolve));
    assert.equal((await ask(port.session)).status, 401);
    assert.equal(await goaway, constants.NGHTTP2_NO_ERROR);
    other.resolve();
    assert.equal((await slow).text, "answer");
    await once(port.session, "close");
  });

  it("closes when the requests under way are answered, and takes no others", async () => {
    const begun = Promise.withResolvers<void>();
    const answer = Promise.withResolvers<void>();
    await using port = await open(async (exchange) => {
      begun.resolve();
      await answer.promise;
      exchange.respond(200, {}, [Buffer.alloc(500_000)]);
    });
    const idle = connect(`https://127.0.0.1:${port.listener.port}`, { rejectUnauthorized: false });
    await once(idle, "remoteSettings");
    const asked = ask(port.session);
    await begun.promise;
    const idleEnds = once(idle, "close");
    const closing = port.listener.close(2 ** 30);
    await idleEnds;
    answer.resolve();
    assert.equal((await asked).text.length, 500_000);
    await closing;
    const refused = await new Promise((resolve) =>
      connectPlain(port.listener.port, "127.0.0.1").on("connect", resolve).on("error", resolve),
    );
    assert.match(String(refused), /ECONNREFUSED/);
  });

  it("sends elsewhere whoever has not finished greeting when it closes", async () => {
    await using port = await open(() => {});
    const early = connectPlain(port.listener.port, "127.0.0.1");
    await once(early, "connect");
    await ping(port.session); // by now the server knows of it
    const closing = port.listener.close(2 ** 30);
    const late = connect("https://127.0.0.1", {
      createConnection: () => connectTls({ socket: early, ALPNProtocols: ["h2"], rejectUnauthorized: false }),
    });
    await once(late, "close");
    await closing;
  });

  it("waits for nobody beyond its grace: neither for requests nor for those who say nothing", async () => {
    const begun = Promise.withResolvers<AbortSignal>();
    await using port = await open((exchange) => begun.resolve(exchange.signal));
    const silent = connectPlain(port.listener.port, "127.0.0.1").on("error", () => {});
    await once(silent, "connect");
    const asked = ask(port.session);
    const signal = await begun.promise;
    await port.listener.close(0);
    assert.equal((await asked).status, undefined);
    assert.equal(signal.aborted, true);
  });

  it("speaks HTTP/1.1 on the same port: connections are kept, and change protocols", async () => {
    const seen: string[] = [];
    await using port = await open(async (exchange) => {
      const body = await exchange.readBody(1_000);
      seen.push(`${exchange.method} ${exchange.url} ${body?.toString()}`);
      exchange.respond(200, {}, [Buffer.from("one"), Buffer.from("two")]);
    });
    const where = { host: "127.0.0.1", port: port.listener.port, rejectUnauthorized: false };
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const sockets = new Set<unknown>();
    for (const path of ["/a", "/b"]) {
      const text = await new Promise((resolve, reject) => {
        const outgoing = httpsRequest({ ...where, path, agent, method: "POST" }, async (response) =>
          resolve(Buffer.concat(await response.toArray()).toString()),
        ).on("error", reject);
        outgoing.on("socket", (socket) => sockets.add(socket)).end("body");
      });
      assert.equal(text, "onetwo");
    }
    agent.destroy();
    assert.equal(sockets.size, 1);
    assert.deepEqual(seen, ["POST /a body", "POST /b body"]);
    const echoed = await new Promise((resolve, reject) => {
      httpsRequest({ ...where, headers: { connection: "Upgrade", upgrade: "echo" }, agent: false })
        .on("upgrade", (_response, socket) => {
          socket.once("data", (bytes: Buffer) => {
            resolve(bytes.toString());
            socket.destroy();
          });
          socket.write("ping");
        })
        .on("error", reject)
        .end();
    });
    assert.equal(echoed, "ping");
  });

  it("takes a client that negotiates nothing for HTTP/1.1, and sends away one that speaks HTTP/2 without a word", async () => {
    await using port = await open((exchange) => exchange.respond(200, {}, [Buffer.from(exchange.method)]));
    for (const [said, heard] of [
      ["GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", /^HTTP\/1\.1 200 OK\r\n/],
      ["PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0", /^HTTP\/1\.1 400 Bad Request\r\n/],
    ] as const) {
      const socket = connectTls({ host: "127.0.0.1", port: port.listener.port, rejectUnauthorized: false });
      socket.on("error", () => {}).write(said, "latin1");
      const pieces: Buffer[] = [];
      socket.on("data", (bytes: Buffer) => pieces.push(bytes));
      await once(socket, "close");
      assert.match(Buffer.concat(pieces).toString(), heard);
    }
  });
});
