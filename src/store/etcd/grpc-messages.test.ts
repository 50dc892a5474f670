// Cutting a gRPC request into messages, whatever pieces it comes in.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { MessageReader, MessageRoom, Refusal } from "./grpc-messages.ts";

const message = (bytes: Uint8Array): Buffer => {
  const prefix = Buffer.alloc(5);
  prefix.writeUInt32BE(bytes.length, 1);
  return Buffer.concat([prefix, bytes]);
};

function reader({ maxBytes = 1000, roomBytes = 10_000, holdAfter = Number.POSITIVE_INFINITY } = {}) {
  const messages: string[] = [];
  const room = new MessageRoom(roomBytes);
  const reading: MessageReader = new MessageReader({
    maxBytes,
    room,
    visit: (bytes) => {
      messages.push(bytes.toString("latin1"));
      if (messages.length % holdAfter === 0) reading.hold();
    },
  });
  return { messages, room, reading };
}

test("messages come out whole and in order, however the bytes are cut and whenever the reader is held", () => {
  const sizes = fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 1, maxLength: 8 });
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 60 })), sizes, fc.integer({ min: 1, max: 5 }), (all, cuts, holdAfter) => {
      const { messages, reading, room } = reader({ holdAfter });
      const whole = Buffer.concat(all.map(message));
      for (let at = 0, index = 0; at < whole.length; index++) {
        const end = at + (cuts[index % cuts.length] ?? 1);
        reading.receive(whole.subarray(at, end));
        at = end;
        if (index % 3 === 0) while (reading.held) reading.resume();
      }
      while (reading.held) reading.resume();
      assert.deepEqual(
        messages,
        all.map((bytes) => Buffer.from(bytes).toString("latin1")),
      );
      room.take(10_000); // all of it is free again
    }),
  );
});

test("a message larger than allowed is refused by its prefix", () => {
  const { reading } = reader({ maxBytes: 10 });
  assert.throws(
    () => reading.receive(message(Buffer.alloc(11)).subarray(0, 5)),
    (error) => error instanceof Refusal && error.message === "received message larger than max (11 vs. 10)",
  );
});

test("a compressed message is refused", () => {
  const { reading } = reader();
  assert.throws(() => reading.receive(Buffer.from([1, 0, 0, 0, 0])), /compressed/);
});

test("unfinished messages of a connection have room together, which a closed one gives back", () => {
  const { reading, room } = reader({ roomBytes: 600 });
  const other = new MessageReader({ maxBytes: 1000, room, visit: () => {} });
  const unfinished = message(Buffer.alloc(900)).subarray(0, 400);
  reading.receive(unfinished);
  assert.throws(() => other.receive(unfinished), /too many large messages/);
  reading.close();
  other.receive(unfinished);
});

test("a message in the smallest pieces takes no more than twice its size", () => {
  const { reading, messages } = reader({ maxBytes: 5000, roomBytes: 10_010 });
  for (const byte of message(Buffer.alloc(5000))) reading.receive(Buffer.from([byte]));
  assert.equal(messages[0]?.length, 5000);
});
