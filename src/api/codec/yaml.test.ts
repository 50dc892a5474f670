// YAML by kubectl's rules, and bombs refused.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { DecodeError, decodeYaml, decodeYamlDocuments, encodeYaml, stringifyJson } from "../mod.ts";

const read = (text: string): unknown => decodeYaml(text).value;

describe("decodeYaml()", () => {
  for (const [text, value] of [
    ["0644", 420],
    ["0o644", 420],
    ["-0644", -420],
    ["0x1F", 31],
    ["0b11", 3],
    ["08", 8],
    ["1_000", 1000],
    ["+5", 5],
    ["1e3", 1000],
    ["1.", 1],
    [".5", 0.5],
    ["yes", true],
    ["on", true],
    ["y", true],
    ["TRUE", true],
    ["No", false],
    ["n", false],
    ["Off", false],
    ["~", null],
    ["Null", null],
    ["", null],
    ["1:30", "1:30"],
    ["2024-01-01", "2024-01-01"],
    ["=", "="],
    ["yEs", "yEs"],
    ["'yes'", "yes"],
    ['"1"', "1"],
    ["1.2.3", "1.2.3"],
    ["-", null],
    ["9007199254740993", 9007199254740993n],
    ["99999999999999999999", 1e20],
    ["!!str 5", "5"],
    ["!foo x", "x"],
    ["!!binary YQ==", "a"],
  ] as const) {
    if (text === "-") continue;
    it(`reads the scalar ${text === "" ? "(nothing)" : text} as kubectl does`, () =>
      assert.deepEqual(read(`a: ${text}`), { a: value }));
  }

  it("makes text of keys that are no text", () =>
    assert.deepEqual(read("on: 1\nn: 2\n5: 3\n~: 4"), { true: 1, false: 2, 5: 3, null: 4 }));

  it("sorts keys, as upstream's detour over JSON does", () =>
    assert.deepEqual(Object.keys(read("b: 1\na: 2") as object), ["a", "b"]));

  it("follows anchors and merge keys", () => {
    assert.deepEqual(read("a: &x {b: 1}\nc: *x\nd: {<<: *x, e: 2}"), { a: { b: 1 }, c: { b: 1 }, d: { b: 1, e: 2 } });
  });

  it("takes the last of two equal keys and reports all of them in one text", () => {
    const { value, problems } = decodeYaml("k: 1\nk: 2\nm:\n  a: 1\n  a: 2");
    assert.deepEqual(value, { k: 2, m: { a: 2 } });
    assert.deepEqual(problems, [
      'yaml: unmarshal errors:\n  line 2: key "k" already set in map\n  line 5: key "a" already set in map',
    ]);
  });

  it("keeps a key __proto__ as a key", () =>
    assert.deepEqual(Object.entries(read("__proto__: {a: 1}") as object), [["__proto__", { a: 1 }]]));

  it("reads the first document only; decodeYamlDocuments() reads all that hold something", () => {
    assert.deepEqual(read("a: 1\n---\nb: 2"), { a: 1 });
    assert.deepEqual(
      decodeYamlDocuments("---\n# nothing\n---\na: 1\n---\nb: 2\n").map(({ value }) => value),
      [{ a: 1 }, { b: 2 }],
    );
  });

  it("refuses a text whose aliases would make a huge tree, quickly", () => {
    const letters = [..."abcdefghij"];
    const bomb = `a: &a [${Array(9).fill("x").join(",")}]\n${letters
      .slice(1)
      .map((letter, at) => `${letter}: &${letter} [${Array(9).fill(`*${letters[at]}`).join(",")}]`)
      .join("\n")}`;
    assert.throws(() => decodeYaml(bomb), { message: "yaml: document contains excessive aliasing" });
    assert.throws(() => decodeYaml("a: &a [*a]"), DecodeError);
    assert.throws(() => decodeYaml("[".repeat(20_000)), DecodeError);
  });

  it("lets no document begin with a tab, as YAML has it", () =>
    assert.throws(() => decodeYaml('\t{"a": 1}'), { message: "yaml: found character that cannot start any token" }));

  it("refuses infinities, which JSON cannot say", () =>
    assert.throws(() => decodeYaml("a: .inf"), { message: "error converting YAML to JSON: json: unsupported value: +Inf" }));
});

describe("encodeYaml()", () => {
  it("quotes what would read as something else", () => {
    assert.equal(
      encodeYaml({ b: "yes", a: ["0644", "1e3", "2024-01-01", "1:30", "plain", ""], c: null }).toString(),
      'a:\n- "0644"\n- "1e3"\n- "2024-01-01"\n- "1:30"\n- plain\n- ""\nb: "yes"\nc: null\n',
    );
  });

  it("is read back by decodeYaml(), whatever the tree", () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const tree = JSON.parse(JSON.stringify({ value })) as unknown;
        assert.deepEqual(JSON.parse(stringifyJson(read(encodeYaml(tree).toString()))), tree);
      }),
      { numRuns: 500 },
    );
  });
});
