// Two joined connections: what was said last arrives, however the other side hung up.
import assert from "node:assert/strict";
import { connect, createServer, type Server, type Socket } from "node:net";
import { Duplex } from "node:stream";
import { test } from "node:test";
import { splice } from "./splice.ts";

async function listening(accept: (socket: Socket) => void): Promise<{ server: Server; port: number }> {
  const server = createServer(accept);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { server, port: (server.address() as { port: number }).port };
}

test("what one side said before it broke still reaches a side that takes it slowly", () => {
  const taken: string[] = [];
  const waiting: (() => void)[] = [];
  const slow = new Duplex({
    read: () => {},
    write: (chunk: Buffer, _encoding, done) => {
      taken.push(chunk.toString());
      waiting.push(done);
    },
  });
  const hasty = new Duplex({ read: () => {}, write: (_chunk, _encoding, done) => done() });
  splice(slow, hasty);
  const ended = new Promise((resolve) => slow.once("finish", resolve));
  hasty.once("close", () => {
    const release = (): void => {
      waiting.shift()?.();
      if (!slow.writableFinished) setImmediate(release);
    };
    release();
  });
  setImmediate(() => {
    for (const text of ["output", "more output", "exit code"]) hasty.push(text);
    hasty.destroy(new Error("read ECONNRESET"));
  });
  return ended.then(() => assert.deepEqual(taken, ["output", "more output", "exit code"]));
});

test("a client that resets its connection ends the backend's", async () => {
  const over = Promise.withResolvers<void>();
  const backend = await listening((socket) => socket.resume().on("close", () => over.resolve()));
  const middle = await listening((socket) => splice(socket, connect(backend.port, "127.0.0.1")));
  const client = connect(middle.port, "127.0.0.1");
  client.once("connect", () => client.write("hello", () => client.resetAndDestroy()));
  await over.promise;
  backend.server.close();
  middle.server.close();
});

test("a side that is gone when the two are joined ends the other", async () => {
  const other = (): Duplex => new Duplex({ read: () => {}, write: (_chunk, _encoding, done) => done() });
  for (const goneFirst of [true, false]) {
    const [gone, left] = [other(), other()];
    gone.destroy();
    await new Promise((resolve) => gone.once("close", resolve));
    const ended = new Promise((resolve) => left.once("finish", resolve));
    if (goneFirst) splice(gone, left);
    else splice(left, gone);
    await ended;
  }
});
