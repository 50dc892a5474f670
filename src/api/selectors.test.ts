// Label and field selectors: upstream's grammar, its error texts, matching.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { fieldSelectorMatches, fieldSelectorText, parseFieldSelector } from "./field-selectors.ts";
import { everything, labelSelector, nothing, parseSelector, selectorMatches, selectorText, setSelector } from "./selectors.ts";

const objects = { a: { n: "a", num: "3" }, b: { n: "b", m: "", num: "x" }, c: {} };
const matching: readonly (readonly [selector: string, names: string])[] = [
  ["n", "a b"],
  ["!n", "c"],
  ["n=a", "a"],
  ["n==a", "a"],
  ["n!=a", "b c"],
  ["n in (a,b)", "a b"],
  ["n notin (a,b)", "c"],
  ["n in ()", ""],
  ["n,m", "b"],
  ["n,!m", "a"],
  ["n=", ""],
  ["n!=", "a b c"],
  ["n in (a,)", "a"],
  ["n notin ()", "a b c"],
  ["", "a b c"],
  ["n = a", "a"],
  ["  n  ", "a b"],
  ["num>1", "a"],
  ["num<5", "a"],
  ["num>1,num<5", "a"],
  ["n in (a),m notin (b)", "a"],
  ["n in(a)", "a"],
  ["! n", "c"],
  ["in", ""],
  ["in in (in)", ""],
  ["N", ""],
];
for (const [selector, names] of matching)
  test(`the label selector "${selector}" matches ${names === "" ? "nothing" : names}`, () => {
    const parsed = parseSelector(selector);
    assert.equal(
      Object.entries(objects)
        .filter(([, labels]) => selectorMatches(parsed, labels as Record<string, string>))
        .map(([name]) => name)
        .join(" "),
      names,
    );
  });

const refused: readonly (readonly [selector: string, message: string])[] = [
  ["n in (a", "unable to parse requirement: found '', expected: ',' or ')'"],
  ["n in a", "unable to parse requirement: found 'a' expected: '('"],
  ["!", "unable to parse requirement: found '', expected: identifier"],
  ["=a", "found '=', expected: !, identifier, or 'end of string'"],
  ["n=a b", "found 'b', expected: ',' or 'end of string'"],
  ["n=a,", "found '', expected: identifier after ','"],
  ["n,,m", "found ',', expected: identifier after ','"],
  [",", "found ',', expected: !, identifier, or 'end of string'"],
  ["a b", "unable to parse requirement: found 'b', expected: in, notin, =, ==, !=, gt, lt"],
  ["n IN (a)", "unable to parse requirement: found 'IN', expected: in, notin, =, ==, !=, gt, lt"],
  ["n=(a)", "unable to parse requirement: found '(', expected: identifier"],
  ["!!n", "unable to parse requirement: found '!', expected: identifier"],
  ["!n=a", "found '=', expected: ',' or 'end of string'"],
  ["n in (a b)", "unable to parse requirement: found 'b', expected: ',' or ')'"],
  ["num>x", `unable to parse requirement: values[0]: Invalid value: "x": for 'Gt', 'Lt' operators, the value must be an integer`],
];
for (const [selector, message] of refused)
  test(`the label selector "${selector}" is refused in upstream's words`, () =>
    assert.throws(() => parseSelector(selector), { message }));

test("a selector object that is absent matches nothing, an empty one everything", () => {
  assert.equal(selectorMatches(labelSelector(undefined), { a: "b" }), false);
  assert.equal(selectorMatches(labelSelector({}), undefined), true);
  assert.equal(selectorMatches(nothing, {}), false);
  assert.equal(selectorMatches(everything, {}), true);
  const selector = labelSelector({
    matchLabels: { a: "b" },
    matchExpressions: [
      { key: "c", operator: "NotIn", values: ["d"] },
      { key: "e", operator: "Exists" },
    ],
  });
  assert.equal(selectorMatches(selector, { a: "b", e: "" }), true);
  assert.equal(selectorMatches(selector, { a: "b", e: "", c: "d" }), false);
});

const labels = fc.dictionary(fc.constantFrom("a", "b.io/c", "d"), fc.constantFrom("", "x", "y-1"));
test("a selector's text parses back to the same decisions", () => {
  const requirement = fc.oneof(
    fc.constantFrom("a", "!a", "b.io/c", "!d"),
    fc
      .tuple(fc.constantFrom("a", "d"), fc.constantFrom("=", "==", "!="), fc.constantFrom("", "x", "y-1"))
      .map((parts) => parts.join("")),
    fc
      .tuple(
        fc.constantFrom("a", "d"),
        fc.constantFrom("in", "notin"),
        fc.array(fc.constantFrom("x", "y-1"), { minLength: 1, maxLength: 3 }),
      )
      .map(([key, operator, values]) => `${key} ${operator} (${values.join(",")})`),
  );
  fc.assert(
    fc.property(fc.array(requirement, { maxLength: 4 }), labels, (requirements, set) => {
      const parsed = parseSelector(requirements.join(","));
      assert.equal(selectorMatches(parseSelector(selectorText(parsed)), set), selectorMatches(parsed, set));
    }),
    { numRuns: 200 },
  );
});
test("a set's selector matches exactly the supersets", () => {
  fc.assert(
    fc.property(labels, labels, (wanted, actual) => {
      assert.equal(
        selectorMatches(setSelector(wanted), actual),
        Object.entries(wanted).every(([key, value]) => actual[key] === value),
      );
    }),
    { numRuns: 100 },
  );
});

test("field selectors know =, ==, != and escapes, and survive their text", () => {
  const values: Readonly<Record<string, string>> = { "metadata.name": "a,b=c\\d", "spec.nodeName": "" };
  const fieldOf = (field: string): string => values[field] ?? "";
  assert.equal(fieldSelectorMatches(parseFieldSelector("metadata.name=a\\,b\\=c\\\\d,spec.nodeName="), fieldOf), true);
  assert.equal(fieldSelectorMatches(parseFieldSelector("metadata.name!=a"), fieldOf), true);
  assert.equal(fieldSelectorMatches(parseFieldSelector("metadata.name==x"), fieldOf), false);
  assert.equal(parseFieldSelector("==").length, 0, "an empty term selects everything");
  assert.throws(() => parseFieldSelector("x"), { message: "invalid selector: 'x'; can't understand 'x'" });
  fc.assert(
    fc.property(fc.string(), (value) => {
      const [requirement] = parseFieldSelector(fieldSelectorText([{ field: "f", operator: "=", value }]));
      assert.equal(requirement?.value, value);
    }),
    { numRuns: 200 },
  );
});
