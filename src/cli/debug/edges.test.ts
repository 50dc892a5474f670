// Connections of a host as edges between components, and which of them should not be.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { componentOf, edgesOf, matrix } from "./edges.ts";
import { readSockets } from "./sockets.ts";

const listening = `LISTEN 0 511 127.0.0.1:6443 0.0.0.0:* users:(("node-MainThread",pid=1,fd=32))
LISTEN 0 511 *:10259 *:* users:(("node-MainThread",pid=2,fd=20))
LISTEN 0 511 *:10250 *:* users:(("node-MainThread",pid=3,fd=20))`;
const established = (...pairs: readonly (readonly [local: string, peer: string, process: number])[]): string =>
  pairs.map(([local, peer, process]) => `ESTAB 0      0      ${local} ${peer} users:(("node",pid=${process},fd=9))`).join("\n");
const components: Readonly<Record<number, string>> = { 1: "kube-apiserver", 2: "kube-scheduler", 3: "kubelet" };
const edges = (output: string) =>
  edgesOf(readSockets(output, "ESTAB"), readSockets(listening, "LISTEN"), (process) => components[process]).map(
    ({ from, to, connections, kind }) => `${from} > ${to} ${connections} ${kind}`,
  );

describe("a connection", () => {
  const api = "127.0.0.1:6443";
  for (const [name, output, expected] of [
    [
      "to the API server is as it should be, and counts once however often it is listed",
      established(
        ["127.0.0.1:50001", api, 2],
        [api, "127.0.0.1:50001", 1],
        ["127.0.0.1:50002", api, 2],
        [api, "127.0.0.1:50002", 1],
      ),
      ["kube-scheduler > kube-apiserver 2 control state"],
    ],
    [
      "of the API server to a kubelet is as it should be",
      established(["127.0.0.1:50003", "127.0.0.1:10250", 1], ["[::ffff:127.0.0.1]:10250", "[::ffff:127.0.0.1]:50003", 3]),
      ["kube-apiserver > kubelet 1 control state"],
    ],
    [
      "of a kubelet to the scheduler is extra",
      established(["10.0.0.1:50004", "10.0.0.1:10259", 3], ["[::ffff:10.0.0.1]:10259", "[::ffff:10.0.0.1]:50004", 2]),
      ["kubelet > kube-scheduler 1 extra"],
    ],
    [
      "of somebody else to a component is outside",
      established([api, "10.9.9.9:4000", 1]),
      ["(outside) > kube-apiserver 1 outside"],
    ],
    [
      "of a component to somebody else is outside",
      established(["10.0.0.1:4001", "10.9.9.9:443", 2]),
      ["kube-scheduler > (outside) 1 outside"],
    ],
    ["between others is nobody's", established(["10.0.0.1:4001", "10.9.9.9:443", 77]), []],
    ["of a process with itself is its own", established(["127.0.0.1:50005", api, 1], [api, "127.0.0.1:50005", 1]), []],
  ] as const)
    test(name, () => assert.deepEqual(edges(output), expected));
});

describe("a process", () => {
  for (const [words, expected] of [
    ["/usr/bin/node --disable-warning=ExperimentalWarning /x/src/cli/main.ts kube-scheduler --kubeconfig f", "kube-scheduler"],
    ["node /x/dist/tiphys.js kubelet", "kubelet"],
    ["/x/bin/tiphys up", "kube-apiserver"],
    ["/usr/bin/etcd --name a", "etcd"],
    ["node /x/src/cli/main.ts token create", undefined],
    ["node /x/other/main.ts kubelet", undefined],
    ["vim kubelet", undefined],
  ] as const)
    test(`called "${words}" is ${expected ?? "no component"}`, () => assert.equal(componentOf(words.split(" ")), expected));
});

test("the documents show the same matrix", () => {
  const text = readFileSync(join(import.meta.dirname, "../../../docs/connections.md"), "utf8");
  const rows = [...(text.split("## Local")[0] ?? "").matchAll(/^\|(.*)\|$/gm)].map(([, row = ""]) =>
    row.split("|").map((cell) => cell.trim().replaceAll("`", "")),
  );
  const [head = [], , ...body] = rows;
  const shown = Object.fromEntries(
    body.map(([from = "", ...cells]) => [from, cells.flatMap((cell, column) => (cell === "yes" ? [head[column + 1]] : []))]),
  );
  assert.deepEqual(shown, matrix);
});
