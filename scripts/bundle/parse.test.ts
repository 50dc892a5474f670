// Statements of modules and what they become.
import assert from "node:assert/strict";
import { test } from "node:test";
import { asFunctionBody, laterRequestsOf, type Neighbours, requestsOf, withoutTypes, workersOf } from "./parse.ts";

const neighbours: Neighbours = {
  now: (specifier) => `$("${specifier}")`,
  later: (specifier) => `$later("${specifier}")`,
  default: (specifier) => `$("${specifier}").default`,
  worker: (specifier) => `$worker("${specifier}")`,
  meta: "$meta",
};

const cases: readonly [source: string, body: string, result: string][] = [
  ['import "./a.ts";', '$("./a.ts");', ""],
  ['import a from "a";', 'const a = $("a").default;', ""],
  ["import { a, b as c } from 'x';", 'const { a, b: c } = $("x");', ""],
  ['import a, { b } from "x";', 'const a = $("x").default, { b } = $("x");', ""],
  ['import * as x from "node:fs";', 'const x = $("node:fs");', ""],
  ['import { type A, b } from "x";', 'const { b } = $("x");', ""],
  ['import facts from "./x.json" with { type: "json" };', 'const facts = $("./x.json").default;', ""],
  ['export { a, b as c } from "./x.ts";', '$("./x.ts");', 'a: $("./x.ts").a, c: $("./x.ts").b'],
  ['export * from "./x.ts";', '$("./x.ts");', '...$("./x.ts")'],
  ["const a = 1;\nexport { a as b };", "const a = 1;\n", "b: a"],
  ["export const a = 1;", "       const a = 1;", "a"],
  ["export async function* f() {}", "       async function* f() {}", "f"],
  ["export class C {}", "       class C {}", "C"],
  ['const a = await import("./x.ts");', 'const a = await $later("./x.ts");', ""],
  ['new Worker(new URL("./w.ts", import.meta.url));', 'new Worker($worker("./w.ts"));', ""],
  ["join(import.meta.dirname);", "join($meta.dirname);", ""],
  ['const text = "import a from";', 'const text = "import a from";', ""],
];

test("each statement becomes one of the same meaning", () => {
  for (const [source, body, result] of cases) {
    const expected = `${body}\nreturn { ${result} };`;
    assert.equal(asFunctionBody(withoutTypes(source), neighbours), expected, source);
  }
});

test("tokens after a statement of many lines stay on their lines, and types leave nothing behind", () => {
  const source = 'import {\n  a,\n  b,\n} from "x";\n\ninterface I {\n  readonly a: string;\n}\n\nexport const c: I = { a };\n';
  const lines = asFunctionBody(withoutTypes(source), neighbours).split("\n");
  assert.equal(lines[0], 'const { a, b } = $("x");');
  assert.deepEqual(lines.slice(1, 9), ["", "", "", "", "", "", "", ""]);
  assert.equal(lines[9], "       const c    = { a };");
});

test("what a module asks for is found, once each and in order", () => {
  const text =
    'import { b } from "./b.ts";\nimport "./a.ts";\nexport { c } from "./b.ts";\nconst d = import("./d.ts"), e = new URL("./e.ts", import.meta.url);';
  assert.deepEqual(requestsOf(text), ["./b.ts", "./a.ts"]);
  assert.deepEqual(laterRequestsOf(text), ["./d.ts"]);
  assert.deepEqual(workersOf(text), ["./e.ts"]);
});

test("a name that is exported twice is refused", () => {
  assert.throws(() => asFunctionBody("export const a = 1;\nexport { a };", neighbours), /exports "a" twice/);
});
