// The store answers and never calls: within a program it has no sockets at all, and behind its etcd API it only accepts. strace sees every thread.
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { suite, test } from "node:test";
import { silentLog, systemClock } from "#base";
import { openEtcdStore } from "#store";
import { startChild, straceMissing } from "./support/child.ts";
import { put, Scratch } from "./support/scratch.ts";
import { strace } from "./support/strace.ts";

suite("the store dials nobody", { skip: straceMissing }, () => {
  test("within a program it opens no socket: writes, watches, reads of older revisions, a second start", async () => {
    using scratch = new Scratch("dials", { inMemory: true });
    await using child = startChild("failing-child.ts", [join(scratch.path, "store"), "0"], traced(scratch));
    assert.equal(await child.ended, 0, child.errors);
    assert.ok(child.lines.includes("closed") && child.lines.some((line) => line.startsWith("wrote ")), "the store was used");
    assert.deepEqual(networkCalls(scratch), []);
  });

  test("behind its etcd API it listens and accepts, and connects to nobody", async () => {
    using scratch = new Scratch("dials", { inMemory: true });
    const go = join(scratch.path, "go");
    await using child = startChild("facade-child.ts", [join(scratch.path, "store"), "0", go], traced(scratch));
    writeFileSync(go, "");
    await child.heard("ready");
    const port = child.lines.find((line) => line.startsWith("port "))?.slice("port ".length);
    {
      await using client = await openEtcdStore({ servers: [`http://127.0.0.1:${port}`], clock: systemClock, log: silentLog });
      const { promise: seen, resolve } = Promise.withResolvers<void>();
      await client.watch({ key: "a" }, () => resolve());
      await put(client, "a", "1");
      await seen;
    }
    await child.kill();
    const calls = networkCalls(scratch).map((line) => /\b(\w+)\(/.exec(line)?.[1] ?? line);
    const count = (name: string): number => calls.filter((call) => call === name).length;
    assert.ok(count("accept4") > 0, "no accept4: the trace is empty");
    assert.equal(count("connect"), 0, networkCalls(scratch).join("\n"));
    assert.equal(count("socket"), count("listen"), "a socket that does not listen");
  });
});

const output = (scratch: Scratch): string => join(scratch.path, "calls");
const traced = (scratch: Scratch): string[] =>
  strace({
    directory: scratch.path,
    files: [],
    calls: "socket,listen,accept4,connect",
    output: output(scratch),
  });

/** One a line; without what threads and processes of one host say to each other. */
const networkCalls = (scratch: Scratch): string[] =>
  readFileSync(output(scratch), "utf8")
    .split("\n")
    .filter((line) => line !== "" && !/AF_UNIX|AF_NETLINK/.test(line));
