// Clients that are gone before their request to change protocols is answered.
import assert from "node:assert/strict";
import { once } from "node:events";
import type { IncomingMessage } from "node:http";
import { type AddressInfo, createServer } from "node:net";
import { Duplex } from "node:stream";
import { test } from "node:test";
import { seededRandom, silentLog, VirtualClock } from "#base";
import type { Answer } from "../answer.ts";
import type { Chain } from "../chain.ts";
import type { HttpDeps } from "./handler.ts";
import { handleUpgrade } from "./upgrade.ts";

test("a client that is gone before it is known: the request is over, and no backend hears of it", async () => {
  let connections = 0;
  const backend = createServer(() => connections++).listen(0, "127.0.0.1");
  await once(backend, "listening");
  const { port } = backend.address() as AddressInfo;
  const socket = new Duplex({ read: () => {}, write: (_chunk, _encoding, done) => done() });
  const answer: Answer = {
    kind: "forward",
    backend: { scheme: "http", host: "127.0.0.1", port },
    method: "GET",
    path: "/",
  } as never; // no more is looked at
  const codes: number[] = [];
  const user = { name: "alice", groups: [] };
  const deps = {
    random: seededRandom(1),
    security: {
      authenticator: {
        authenticate: async () => {
          socket.destroy();
          await once(socket, "close");
          return user;
        },
      },
    },
    chain: {
      metrics: { begin: () => (code: number) => void codes.push(code) },
      security: { authorizer: { authorize: () => ({ allowed: true, reason: "" }) } },
      paths: { answer: async () => answer },
      clock: new VirtualClock(),
      random: seededRandom(1),
      log: silentLog,
      audit: undefined,
    } as unknown as Chain,
  } as unknown as HttpDeps;
  const request = { url: "/tunnel", method: "GET", headers: {} } as IncomingMessage;
  await handleUpgrade(deps, request, socket, Buffer.alloc(0), { state: "none" });
  assert.deepEqual(codes, [200]);
  backend.close();
  await once(backend, "close");
  assert.equal(connections, 0);
});
