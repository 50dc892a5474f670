// Clients whose request never becomes a WebSocket.
import assert from "node:assert/strict";
import { once } from "node:events";
import type { IncomingMessage } from "node:http";
import { Duplex } from "node:stream";
import { test } from "node:test";
import { serveCommand, serveTunnel } from "./web-socket.ts";

const silent = (): Duplex => new Duplex({ read: () => {}, write: (_chunk, _encoding, done) => done() });
const request = (headers: object): IncomingMessage =>
  ({
    method: "GET",
    url: "/",
    headers: { upgrade: "websocket", "sec-websocket-version": "13", "sec-websocket-key": "AAAAAAAAAAAAAAAAAAAAAA==", ...headers },
  }) as IncomingMessage;
const streams = { stdin: false, stdout: true, stderr: false, tty: false };

for (const [name, headers, gone] of [
  ["a client that is gone", {}, true],
  ["a request that is no WebSocket's", { "sec-websocket-key": "short" }, false],
] as const)
  test(`${name} leaves no connection to the runtime open`, async () => {
    for (const serve of [serveTunnel, undefined]) {
      const [socket, runtime] = [silent(), silent()];
      if (gone) {
        socket.destroy();
        await once(socket, "close");
      }
      const upgraded = { socket: runtime, head: Buffer.alloc(0), headers: {} };
      const closed = once(runtime, "close");
      if (serve === undefined) serveCommand(request(headers), socket, Buffer.alloc(0), "v5.channel.k8s.io", streams, upgraded);
      else serve(request(headers), socket, Buffer.alloc(0), upgraded);
      await closed;
      assert.equal(runtime.destroyed, true);
    }
  });
