// Requests over HTTP/1.1 whose client is gone.
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { test } from "node:test";
import { Http1Exchange } from "./http1-exchange.ts";

test("a body that is asked for when its client has gone is refused, not waited for", async () => {
  const { promise: arrived, resolve } = Promise.withResolvers<Http1Exchange>();
  const closed = Promise.withResolvers<void>();
  const server = createServer((request, response) => {
    request.on("error", () => {});
    request.once("close", () => closed.resolve());
    resolve(new Http1Exchange(request, response, { state: "none" }));
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const client = connect((server.address() as AddressInfo).port, "127.0.0.1");
  client.write("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nhalf");
  const exchange = await arrived;
  client.destroy();
  await closed.promise;
  await assert.rejects(exchange.readBody(100), /closed the connection before its request was complete/);
  server.close();
});
