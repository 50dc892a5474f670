// The sockets of the gRPC server: who does not speak HTTP/2 is sent away, and closing leaves nothing open.
import assert from "node:assert/strict";
import { type EventEmitter, once } from "node:events";
import { connect as connectHttp2 } from "node:http2";
import { connect, type Socket } from "node:net";
import { test } from "node:test";
import { listenGrpc } from "./grpc-listener.ts";

const listen = () =>
  listenGrpc({
    listen: "127.0.0.1:0",
    tls: undefined,
    methods: new Map([["/never", { kind: "unary", answer: () => new Promise<Uint8Array>(() => {}) }]]),
    failure: () => ({ code: 13, message: "" }),
    maxMessageBytes: 1000,
  });

/** A reset is an end as well. */
const closed = (socket: EventEmitter): Promise<unknown> =>
  new Promise((resolve) => socket.on("error", () => {}).once("close", resolve));

async function allOf(socket: Socket): Promise<Buffer> {
  const pieces: Buffer[] = [];
  socket.on("data", (bytes: Buffer) => pieces.push(bytes));
  await closed(socket);
  return Buffer.concat(pieces);
}

test("who speaks HTTP/1.1 hears GOAWAY, and its connection ends", async () => {
  const server = await listen();
  try {
    const socket = connect(server.port, "127.0.0.1");
    socket.write("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    const heard = await allOf(socket);
    assert.match(heard.toString("latin1"), /this is not HTTP\/2/);
  } finally {
    await server.close();
  }
});

test("closing ends clients with calls under way and silent ones, and waits for nobody", async () => {
  const server = await listen();
  const session = connectHttp2(`http://127.0.0.1:${server.port}`);
  const silent = connect(server.port, "127.0.0.1");
  const stream = session.request({ ":method": "POST", ":path": "/never", "content-type": "application/grpc" });
  stream.end(Buffer.alloc(5));
  await new Promise((resolve) => session.ping(resolve));
  const ended = Promise.all([closed(session), closed(stream), closed(silent)]);
  await server.close();
  await ended;
  await assert.rejects(once(connect(server.port, "127.0.0.1"), "connect"));
});
