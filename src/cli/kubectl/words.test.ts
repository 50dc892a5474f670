import assert from "node:assert/strict";
import { test } from "node:test";
import { defineOptions } from "#base";
import { readWords } from "./words.ts";

const specs = defineOptions({
  namespace: { kind: "string", help: "" },
  stdin: { kind: "boolean", default: false, help: "" },
  tty: { kind: "boolean", default: false, help: "" },
  dryRun: { kind: "string", help: "" },
});
const flags = { specs, short: { namespace: "n", stdin: "i", tty: "t" }, bare: { dryRun: "unchanged" } };

const cases: readonly [string, string, { plain: string[]; given: Record<string, string[]>; beforeDashes?: number }][] = [
  [
    "flags stand before, between and after",
    "-n a pods --stdin b",
    { plain: ["pods", "b"], given: { namespace: ["a"], stdin: ["true"] } },
  ],
  ["a switch does not take the next word", "-i pods", { plain: ["pods"], given: { stdin: ["true"] } }],
  [
    "switches join, a value may end them",
    "-itn=x -ny",
    { plain: [], given: { stdin: ["true"], tty: ["true"], namespace: ["x", "y"] } },
  ],
  ["a switch can be turned off", "--stdin=false", { plain: [], given: { stdin: ["false"] } }],
  ["a flag with a meaning of its own takes no word", "--dry-run pod", { plain: ["pod"], given: { dryRun: ["unchanged"] } }],
  ["the same with a value", "--dry-run=client", { plain: [], given: { dryRun: ["client"] } }],
  ["a value may be empty or hold =", "--namespace= -n a=b", { plain: [], given: { namespace: ["", "a=b"] } }],
  ["all behind -- is left alone", "p -- sh -n -i", { plain: ["p", "sh", "-n", "-i"], given: {}, beforeDashes: 1 }],
  ["a lone - is a word", "-", { plain: ["-"], given: {} }],
];

for (const [name, line, wanted] of cases)
  test(`words of kubectl: ${name}`, () => {
    assert.deepEqual(readWords(line.split(" "), flags), { beforeDashes: undefined, ...wanted });
  });

test("words of kubectl: what cannot be read is refused in kubectl's words", () => {
  const refusal = (line: string): string => {
    try {
      readWords(line.split(" "), flags);
    } catch (error) {
      return (error as Error).message;
    }
    return "";
  };
  assert.equal(refusal("--nope=1"), "error: unknown flag: --nope");
  assert.equal(refusal("-iz"), "error: unknown shorthand flag: 'z' in -z");
  assert.equal(refusal("--namespace"), "error: flag needs an argument: --namespace");
  assert.equal(refusal("pods -n"), "error: flag needs an argument: 'n' in -n");
});
