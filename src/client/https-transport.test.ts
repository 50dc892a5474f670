import assert from "node:assert/strict";
import * as http2 from "node:http2";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { ApiError, configMaps, pods } from "#api";
import { silentLog, VirtualClock } from "#base";
import { type HttpsOptions, httpsTransport } from "./https-transport.ts";
import { createClient } from "./rest-client.ts";

type Handler = (stream: http2.ServerHttp2Stream, headers: http2.IncomingHttpHeaders, body: string) => void;

async function start(handler: Handler, more: Partial<HttpsOptions> = {}) {
  const clock = new VirtualClock();
  const server = http2.createServer();
  const sessions = new Set<http2.ServerHttp2Session>();
  server.on("session", (session) => sessions.add(session));
  server.on("stream", (stream: http2.ServerHttp2Stream, headers: http2.IncomingHttpHeaders) => {
    stream.on("error", () => {});
    let body = "";
    stream.on("data", (chunk: Buffer) => (body += chunk.toString()));
    stream.on("end", () => handler(stream, headers, body));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const transport = httpsTransport({ server: url, userAgent: "test/1", clock, log: silentLog, ...more });
  return {
    clock,
    sessions,
    transport,
    client: createClient(transport),
    [Symbol.asyncDispose]: async () => {
      await transport[Symbol.asyncDispose]();
      for (const session of sessions) session.destroy();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

const json = (stream: http2.ServerHttp2Stream, code: number, object: unknown, headers: http2.OutgoingHttpHeaders = {}): void => {
  stream.respond({ ":status": code, "content-type": "application/json", ...headers });
  stream.end(JSON.stringify(object));
};

test("a request carries method, path, query, token, agent and body; the answer comes back parsed", async () => {
  const seen: unknown[] = [];
  let token = 0;
  await using server = await start(
    (stream, headers, body) => {
      seen.push([
        headers[":method"],
        headers[":path"],
        headers.authorization,
        headers["user-agent"],
        headers["content-type"],
        JSON.parse(body),
      ]);
      json(stream, 201, { metadata: { name: "m" } }, { warning: '299 - "careful \\"now\\""' });
    },
    { token: () => `t${++token}` },
  );
  const reply = await server.transport.send({
    method: "POST",
    path: "/api/v1/namespaces/a%20b/configmaps",
    query: { fieldManager: "x y" },
    body: { a: "ü" },
  });
  assert.deepEqual(seen, [
    ["POST", "/api/v1/namespaces/a%20b/configmaps?fieldManager=x+y", "Bearer t1", "test/1", "application/json", { a: "ü" }],
  ]);
  assert.deepEqual(reply, { code: 201, object: { metadata: { name: "m" } }, warnings: ['careful "now"'] });
});

test("a redirect is an error, never followed", async () => {
  let requests = 0;
  await using server = await start((stream) => {
    requests++;
    json(stream, 307, {}, { location: "/elsewhere" });
  });
  const reply = await server.transport.send({ method: "GET", path: "/x", query: {} });
  assert.equal("code" in reply ? reply.code : 0, 307);
  assert.equal(requests, 1);
});

test("a watch yields frames as they come, and ends when its signal aborts", async () => {
  let ended = false;
  await using server = await start((stream) => {
    stream.on("close", () => (ended = true));
    stream.respond({ ":status": 200, "content-type": "application/json" });
    stream.write('{"type":"ADDED","object":{"metadata":{"name":"a"}}}\n{"type":"BOOK');
    setImmediate(() => stream.write('MARK","object":{"metadata":{"resourceVersion":"7"}}}\n'));
  });
  const abort = new AbortController();
  const events: string[] = [];
  for await (const event of server.client.watch(pods, { signal: abort.signal })) {
    events.push(event.type === "BOOKMARK" ? event.resourceVersion : event.object.metadata.name);
    if (events.length === 2) abort.abort();
  }
  assert.deepEqual(events, ["a", "7"]);
  while (!ended) await new Promise((resolve) => setImmediate(resolve));
});

test("after the server said GOAWAY or died, the next request goes over a new connection", async () => {
  await using server = await start((stream) => json(stream, 200, { metadata: {} }));
  await server.client.get(configMaps, { namespace: "a", name: "b" });
  for (const session of server.sessions) session.goaway();
  await server.client.get(configMaps, { namespace: "a", name: "b" });
  for (const session of server.sessions) session.destroy();
  await server.client.get(configMaps, { namespace: "a", name: "b" });
  assert.ok(server.sessions.size >= 3, `${server.sessions.size} sessions`);
});

test("a read whose connection broke is sent again once, a write is not", async () => {
  const seen: string[] = [];
  await using server = await start((stream, headers) => {
    seen.push(String(headers[":method"]));
    if (seen.length === 2) json(stream, 200, { metadata: {} });
    else stream.session?.destroy();
  });
  await server.client.get(configMaps, { namespace: "a", name: "b" });
  await assert.rejects(server.client.create(configMaps, { metadata: { namespace: "a", name: "b" } }), /connection|closed/);
  assert.deepEqual(seen, ["GET", "GET", "POST"]);
});

test("a server that does not answer is given up after the time-out", async () => {
  await using server = await start(() => {}, { timeoutMs: 5_000 });
  const asked = server.client.get(configMaps, { namespace: "a", name: "b" });
  const refused = assert.rejects(
    asked,
    (error) => error instanceof ApiError && error.reason === "Timeout" && /within 5000 ms/.test(error.message),
  );
  while (server.sessions.size === 0) await new Promise((resolve) => setImmediate(resolve));
  await server.clock.advance(5_000);
  await refused;
});

test("an unreachable server is named in the error", async () => {
  const transport = httpsTransport({ server: "http://127.0.0.1:1", userAgent: "t", clock: new VirtualClock(), log: silentLog });
  await assert.rejects(
    transport.send({ method: "GET", path: "/", query: {} }),
    /Cannot reach "http:\/\/127.0.0.1:1": .*ECONNREFUSED/,
  );
});

test("more streams than one connection may carry open another", async () => {
  const waiting: http2.ServerHttp2Stream[] = [];
  await using server = await start((stream) => waiting.push(stream), { streamsPerSession: 2 });
  const asked = Array.from({ length: 5 }, () => server.client.get(configMaps, { namespace: "a", name: "b" }));
  while (waiting.length < 5) await new Promise((resolve) => setImmediate(resolve));
  assert.equal(server.sessions.size, 3);
  for (const stream of waiting) json(stream, 200, {});
  await Promise.all(asked);
});
