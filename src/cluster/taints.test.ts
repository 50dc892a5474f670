import assert from "node:assert/strict";
import { test } from "node:test";
import { parseTaint, taintText } from "./taints.ts";

for (const [text, taint] of [
  ["a:NoSchedule", { key: "a", effect: "NoSchedule" }],
  ["node-role.kubernetes.io/control-plane:NoExecute", { key: "node-role.kubernetes.io/control-plane", effect: "NoExecute" }],
  ["a=b:PreferNoSchedule", { key: "a", value: "b", effect: "PreferNoSchedule" }],
] as const)
  test(`${text} is read and written again`, () => {
    assert.deepEqual(parseTaint(text), taint);
    assert.equal(taintText(taint), text);
  });

for (const text of ["", "a", "a:Never", ":NoSchedule", "a=b", "a:b:NoSchedule"])
  test(`"${text}" is no taint`, () => {
    assert.throws(() => parseTaint(text), {
      message: `Invalid taint "${text}": write KEY=VALUE:EFFECT with one of NoSchedule, PreferNoSchedule, NoExecute`,
    });
  });
