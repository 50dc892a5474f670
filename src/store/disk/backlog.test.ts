import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import { Worker } from "node:worker_threads";
import { Backlog } from "./backlog.ts";

test("whoever sends waits while 64 messages are not taken, and goes on when they are", async () => {
  const backlog = new Backlog();
  const sent = new Int32Array(new SharedArrayBuffer(4));
  const program = `
    const { workerData } = require("node:worker_threads");
    import(workerData.module).then(({ Backlog }) => {
      const backlog = new Backlog(workerData.shared);
      for (let count = 0; count < 1000; count++) {
        Atomics.add(workerData.sent, 0, 1);
        backlog.sent();
      }
    });`;
  const module = new URL("./backlog.ts", import.meta.url).href;
  const worker = new Worker(program, { eval: true, workerData: { module, shared: backlog.shared, sent } });
  const ended = once(worker, "exit");
  for (let taken = 0; taken < 1000; taken++) {
    // The one beyond is sent, and waits.
    while (Atomics.load(sent, 0) < Math.min(1000, taken + 65)) await new Promise((resolve) => setImmediate(resolve));
    assert.equal(Atomics.load(sent, 0), Math.min(1000, taken + 65));
    backlog.taken();
  }
  await ended;
});
