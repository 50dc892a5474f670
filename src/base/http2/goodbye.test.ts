// Sending a client elsewhere: what it has asked for is answered, what it asks for before it has heard is left to the next server.
import assert from "node:assert/strict";
import { test } from "node:test";
import { errorCode } from "./frames.ts";
import { Client, frame, headerBlock, open, requestFields, settings, uint32 } from "./testing/client.ts";

const ok = [{ name: ":status", value: "200" }];

test("the client hears the last stream that is served, and the connection is over when that is answered", () => {
  const client = new Client();
  client.say(open(1, { end: true }), open(3));
  client.connection.finish();
  client.connection.finish();
  const [goaway, ...more] = client.hear();
  assert.deepEqual([goaway?.type, goaway?.payload.readUInt32BE(0), goaway?.payload.readUInt32BE(4)], [7, 3, errorCode.none]);
  assert.deepEqual(more, []);
  client.request(0).stream.respond(ok, true);
  assert.equal(client.connection.over, false);
  client.say(frame(0, 1, 3, Buffer.from("rest")));
  assert.deepEqual(client.request(1).events, ["data rest", "end"]);
  client.request(1).stream.respond(ok, true);
  assert.equal(client.connection.over, true);
  assert.equal(client.connection.failure, undefined);
  assert.equal(client.hear().length, 2);
});

test("without a request under way the connection is over at once, and somebody is told", () => {
  let announced = 0;
  const client = new Client({ output: () => announced++ });
  announced = 0;
  client.connection.finish();
  assert.equal(client.connection.over, true);
  assert.ok(announced > 0);
  client.connection.shutDown();
  assert.equal(client.connection.failure, undefined, "it has ended in peace");
  assert.equal(client.hear().length, 1);
});

test("a request given up by its client ends the connection as well, and its end is announced", () => {
  let announced = 0;
  const client = new Client({ output: () => announced++ });
  client.say(open(1));
  client.connection.finish();
  announced = 0;
  client.say(frame(3, 0, 1, uint32(8)));
  assert.equal(client.connection.over, true);
  assert.ok(announced > 0);
});

test("what a client asks before it has heard is not served and not held against it, and header compression goes on", () => {
  const client = new Client();
  client.say(open(1));
  client.connection.finish();
  client.hear();
  const said = { name: "x-said", value: "before", repeated: true };
  client.say(
    frame(1, 4, 3, headerBlock(requestFields([said]))),
    frame(0, 1, 3, Buffer.from("x")),
    frame(8, 0, 3, uint32(10)),
    frame(3, 0, 5, uint32(8)),
    settings(),
  );
  assert.deepEqual(
    client.hear().map(({ type }) => type),
    [4],
  );
  assert.equal(client.requests.length, 1);
  client.say(frame(1, 5, 1, [0xbe])); // trailers: the field of the table that came with stream 3
  assert.deepEqual(client.request().events, ["end"]);
  assert.equal(client.connection.failure, undefined);
});

test("a client that breaks the rules after our goodbye is sent away for it", () => {
  const client = new Client();
  client.say(open(1));
  client.connection.finish();
  assert.notEqual(client.goawayAfter(frame(0, 0, 0)), undefined);
  assert.equal(client.hear().length, 0);
  assert.ok(client.connection.failure !== undefined);
});

test("shutting down ends a connection that is only waiting for its last requests", () => {
  const client = new Client();
  client.say(open(1));
  client.connection.finish();
  client.connection.shutDown();
  assert.deepEqual(client.request().events, ["closed"]);
  assert.equal(client.connection.over, true);
});
