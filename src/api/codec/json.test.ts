// JSON: exact integers, duplicate keys, and Go's words for what is no JSON.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { DecodeError, decodeJson, encodeJson, inDocumentOrder } from "../mod.ts";

describe("decodeJson()", () => {
  it("keeps integers beyond 2^53, and encodeJson() writes them back", () => {
    const text = '{"a":9007199254740993,"b":[-9223372036854775808,1],"c":1.5}';
    const { value } = decodeJson(text);
    assert.deepEqual(value, { a: 9007199254740993n, b: [-9223372036854775808n, 1], c: 1.5 });
    assert.equal(encodeJson(value).toString(), text);
  });

  it("remembers numbers whose text says more than their value", () => {
    const { value, literals } = decodeJson('{"spec":{"a":1.0,"b":8e1,"c":80.5}}');
    assert.deepEqual(value, { spec: { a: 1, b: 80, c: 80.5 } });
    const { spec } = value as unknown as { spec: object };
    assert.deepEqual(
      [...(literals.get(spec) ?? [])],
      [
        ["a", "1.0"],
        ["b", "8e1"],
        ["c", "80.5"],
      ],
    );
  });

  it("reports duplicate keys with their path, in order", () => {
    const text = '{"a":{"x":1,"x":2},"l":[{"k":1},{"k":1,"k":{"k":1}}],"a":1,"q":"\\"a\\":1","\\u0071":2}';
    assert.deepEqual(
      decodeJson(text).problems,
      ["a.x", "l[1].k", "a", "q"].map((path) => `duplicate field "${path}"`),
    );
  });

  it("reports at most 100 duplicates", () => {
    assert.equal(decodeJson(`{${Array(200).fill('"a":1').join(",")}}`).problems.length, 100);
  });

  it("keeps a key __proto__ as a key and changes no prototype", () => {
    const { value } = decodeJson('{"__proto__":{"polluted":true}}');
    assert.deepEqual(Object.keys(value as object), ["__proto__"]);
    assert.equal(({} as { polluted?: boolean }).polluted, undefined);
  });

  it("refuses what is nested deeper than its limit", () => {
    assert.throws(() => decodeJson("[".repeat(10_001)), { name: "DecodeError", message: "exceeded max depth" });
    assert.throws(() => decodeJson("[[[1]]]", { maxDepth: 2 }), DecodeError);
    assert.deepEqual(decodeJson("[[1]]", { maxDepth: 2 }).value, [[1]]);
  });

  for (const [text, message] of [
    ["", "unexpected end of JSON input"],
    ["not json", "invalid character 'o' in literal null (expecting 'u')"],
    ['[{"a":1},]', "invalid character ']' looking for beginning of value"],
    ["[1] trailing", "invalid character 't' after top-level value"],
    ['{"a" 1}', "invalid character '1' after object key"],
    ['{"a":1 "b":2}', "invalid character '\"' after object key:value pair"],
    ["{a:1}", "invalid character 'a' looking for beginning of object key string"],
    ["[1 2]", "invalid character '2' after array element"],
    ['{"a":"x\ny"}', "invalid character '\\n' in string literal"],
    ['{"a":"\\x"}', "invalid character 'x' in string escape code"],
    ['{"a":"\\u00g0"}', "invalid character 'g' in \\u hexadecimal character escape"],
    ["[01]", "invalid character '1' after array element"],
    ["[1.]", "invalid character ']' after decimal point in numeric literal"],
    ["[1e]", "invalid character ']' in exponent of numeric literal"],
    ["-", "unexpected end of JSON input"],
    ["'a'", "invalid character '\\'' looking for beginning of value"],
    ["é", "invalid character 'Ã' looking for beginning of value"],
    ['{"a":', "unexpected end of JSON input"],
  ] as const) {
    it(`says of ${JSON.stringify(text)}: ${message}`, () =>
      assert.throws(() => decodeJson(text), { name: "DecodeError", message }));
  }

  it("reads any JSON as JSON.parse does, and finds no duplicates in what JSON.stringify wrote", () => {
    fc.assert(
      fc.property(fc.json(), (text) => {
        const once = JSON.stringify(JSON.parse(text));
        const decoded = decodeJson(once);
        assert.deepEqual(JSON.parse(encodeJson(decoded.value).toString()), JSON.parse(once));
        assert.deepEqual(decoded.problems, []);
      }),
      { numRuns: 500 },
    );
  });

  it("refuses any other text with a DecodeError", () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(...'{}[]",:\\truefalsn0123.e-+ \n') }), (text) => {
        let valid = true;
        try {
          JSON.parse(text);
        } catch {
          valid = false;
        }
        if (valid) decodeJson(text);
        else assert.throws(() => decodeJson(text), DecodeError);
      }),
      { numRuns: 2000 },
    );
  });
});

describe("inDocumentOrder()", () => {
  it("sorts by where the document has the fields, and leaves out duplicates of and in unknown fields", () => {
    const text = '{"nope":1,"data":{"a":"1","a":"2"},"zz":{"k":1,"k":2},"zz":3}';
    const problems = [
      'duplicate field "data.a"',
      'duplicate field "zz.k"',
      'duplicate field "zz"',
      'unknown field "nope"',
      'unknown field "zz"',
    ];
    assert.deepEqual(inDocumentOrder(text, problems), ['unknown field "nope"', 'duplicate field "data.a"', 'unknown field "zz"']);
  });
});
