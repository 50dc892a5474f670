// A client that goes away in any moment leaves nothing open behind the log that it read.
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type ServerResponse } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { suite, test } from "node:test";
import { sendLog } from "./send-log.ts";

/** A response to a client that can be made to go away. */
async function world() {
  const { promise: response, resolve } = Promise.withResolvers<ServerResponse>();
  const server = createServer((_request, answer) => resolve(answer)).listen(0, "127.0.0.1");
  await once(server, "listening");
  const client = connect((server.address() as AddressInfo).port, "127.0.0.1").on("error", () => {});
  client.write("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  const answer = await response;
  answer.flushHeaders();
  return {
    answer,
    client,
    leave: async () => {
      client.destroy();
      if (!answer.closed) await once(answer, "close");
    },
    [Symbol.asyncDispose]: async () => {
      client.destroy();
      server.close();
      await once(server, "close");
    },
  };
}

suite("a log that is sent", () => {
  test("is closed when the client is gone before a piece that was under way is written", async () => {
    await using it = await world();
    let closed = false;
    await sendLog(it.answer, async function* () {
      try {
        yield Buffer.from("one\n");
        await it.leave();
        yield Buffer.from("two\n");
        assert.fail("nobody asks for more");
      } finally {
        closed = true;
      }
    });
    assert.equal(closed, true);
  });

  test("is not opened for a client that is gone already", async () => {
    await using it = await world();
    await it.leave();
    await sendLog(it.answer, () => assert.fail("nobody reads it"));
  });

  test("is told that the client is gone while it waits for more", async () => {
    await using it = await world();
    let closed = false;
    await sendLog(it.answer, async function* (gone) {
      try {
        const told = once(gone, "abort");
        void it.leave();
        await told;
        yield Buffer.from("late");
      } finally {
        closed = true;
      }
    });
    assert.equal(closed, true);
  });

  test("waits for a client that reads slowly, and is closed when that one goes", async () => {
    await using it = await world();
    it.client.pause();
    let pieces = 0;
    let closed = false;
    const sending = sendLog(it.answer, async function* () {
      try {
        for (; pieces < 1_000; pieces++) yield Buffer.alloc(256 * 1024);
      } finally {
        closed = true;
      }
    });
    // As much as the system takes; then the log waits.
    for (let before = -1; before !== pieces; ) {
      before = pieces;
      for (let turn = 0; turn < 20; turn++) await new Promise(setImmediate);
    }
    assert.ok(pieces < 1_000, `${pieces} pieces were read`);
    assert.ok(it.answer.listenerCount("close") < 5);
    await it.leave();
    await sending;
    assert.equal(closed, true);
  });
});
