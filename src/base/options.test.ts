// What a flag accepts, and what it says when it does not.
import assert from "node:assert/strict";
import { test } from "node:test";
import { defineOptions, OptionError, parseDuration, readOptions } from "./options.ts";

const specs = defineOptions({
  apiPort: { kind: "integer", default: 6443, help: "port" },
  store: { kind: "string", default: "disk", choices: ["disk", "memory"], help: "store" },
  keepPods: { kind: "boolean", default: false, help: "keep" },
  etcdServers: { kind: "list", default: [], help: "urls" },
  grace: { kind: "duration", default: 50_000, help: "grace" },
});

test("readOptions() gives defaults for what is absent and parsed values for what is given", () => {
  assert.deepEqual(readOptions(specs, {}), { apiPort: 6443, store: "disk", keepPods: false, etcdServers: [], grace: 50_000 });
  const given = readOptions(specs, { apiPort: "0", store: "memory", keepPods: true, etcdServers: ["a,b", "c"], grace: "1m30s" });
  assert.deepEqual(given, { apiPort: 0, store: "memory", keepPods: true, etcdServers: ["a", "b", "c"], grace: 90_000 });
});

for (const [name, given, message] of [
  ["an integer that is none", { apiPort: "6443x" }, /Invalid value "6443x" for --api-port: a whole number is wanted/],
  ["a choice that is none", { store: "tape" }, /for --store: choose one of disk, memory/],
  ["a duration that is none", { grace: "soon" }, /for --grace: a duration such as/],
  ["a boolean that is none", { keepPods: "maybe" }, /for --keep-pods: true or false/],
] as const) {
  test(`readOptions() refuses ${name}`, () =>
    assert.throws(
      () => readOptions(specs, given),
      (error) => error instanceof OptionError && message.test(error.message),
    ));
}

test("parseDuration() reads Go's notation", () => {
  assert.equal(parseDuration("1h30m"), 5_400_000);
  assert.equal(parseDuration("1.5s"), 1500);
  assert.equal(parseDuration("250ms"), 250);
  assert.equal(parseDuration("5"), undefined);
});
