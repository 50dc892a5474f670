// Quantities: exact arithmetic, upstream's canonical texts, its errors.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  addQuantities,
  canonicalQuantity,
  canonicalResource,
  compareQuantities,
  compareQuantityTexts,
  formatQuantity,
  milliValue,
  parseQuantity,
  quantityValue,
  scaledQuantity,
  subtractQuantities,
} from "./quantity.ts";

const stored: readonly (readonly [given: string | number | null, kept: string])[] = [
  ["1", "1"],
  ["1.5", "1500m"],
  ["1e3", "1e3"],
  ["1E3", "1E3"],
  ["1 ", "1"],
  [1, "1"],
  [1.5, "1500m"],
  [null, "0"],
  ["1e400", "10e399"],
  ["9223372036854775807", "9223372036854775807"],
  ["9223372036854775808", "9223372036854775808"],
  ["1n", "1m"],
  ["1u", "1m"],
  ["0.0000000001", "1m"],
  ["1000000000000000000000", "1"],
  [".5", "500m"],
  ["5.", "5."],
  ["+5", "+5"],
  ["-0", "0"],
  ["+", "0"],
  [".", "0"],
  ["1024Mi", "1Gi"],
  ["1048576Ki", "1Gi"],
  ["0.5Gi", "512Mi"],
  ["1.5Gi", "1536Mi"],
  ["1k", "1k"],
  ["1000000", "1M"],
  ["12e6", "12e6"],
  ["1e-3", "1e-3"],
  ["1e-10", "1e-3"],
  ["0.1000", "100m"],
  ["-1", "-1"],
  ["1.0001m", "2m"],
  ["1e1", "10"],
  ["0001", "0001"],
  ["100000000000000000000", "100E"],
  [1000000000, "1G"],
  ["1100m", "1100m"],
];
for (const [given, kept] of stored)
  test(`a resource list keeps ${JSON.stringify(given)} as "${kept}"`, () => assert.equal(canonicalResource(given), kept));

const shape = "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'";
for (const [given, message] of [
  ["0x10", shape],
  ["", shape],
  ["1.2.3", shape],
  ["abc", shape],
  ["1gi", shape],
  ["1E3m", shape],
  ["--1", "unable to parse quantity's suffix"],
  ["1Kii", "unable to parse quantity's suffix"],
  ["1e", "unable to parse quantity's suffix"],
  ["m", "unable to parse numeric part of quantity"],
] as const)
  test(`"${given}" is no quantity: ${message.slice(0, 40)}`, () => assert.throws(() => canonicalQuantity(given), { message }));

test("values round up, in thousandths and in whole units", () => {
  assert.deepEqual(
    [milliValue("250m"), milliValue("0.1"), milliValue("2"), milliValue("100u"), milliValue(undefined), milliValue("1Ki")],
    [250, 100, 2000, 1, 0, 1_024_000],
  );
  assert.deepEqual(
    [quantityValue("1500m"), quantityValue("1Gi"), quantityValue("-1500m"), quantityValue("128974848"), quantityValue("1e3")],
    [2, 1073741824, -2, 128974848, 1000],
  );
});

test("an absurd exponent takes no time", () => {
  assert.equal(compareQuantityTexts("1e999999999", "5"), 1);
  assert.equal(compareQuantityTexts("-1e999999999", "1e-999999999"), -1);
  assert.equal(scaledQuantity(parseQuantity("1e999999999"), 0), 2n ** 63n - 1n);
});

const text = fc
  .tuple(
    fc.constantFrom("", "-"),
    fc.bigInt({ min: 0n, max: 10n ** 8n }),
    fc.constantFrom("", "m", "k", "M", "G", "Ki", "Mi", "Gi", "e3"),
  )
  .map((parts) => parts.join(""));
test("canonical texts mean the same number and are fixed points", () => {
  fc.assert(
    fc.property(text, (given) => {
      const canonical = formatQuantity(parseQuantity(given));
      assert.equal(compareQuantities(parseQuantity(canonical), parseQuantity(given)), 0, given);
      assert.equal(formatQuantity(parseQuantity(canonical)), canonical);
    }),
    { numRuns: 300 },
  );
});
test("sums are exact", () => {
  fc.assert(
    fc.property(text, text, (a, b) => {
      const [left, right] = [parseQuantity(a), parseQuantity(b)];
      assert.equal(compareQuantities(subtractQuantities(addQuantities(left, right), right), left), 0);
      assert.equal(compareQuantities(addQuantities(left, right), addQuantities(right, left)), 0);
      assert.equal(
        scaledQuantity(addQuantities(left, right), -3) === scaledQuantity(left, -3) + scaledQuantity(right, -3) ||
          Math.abs(quantityValue(a)) > 1e15 ||
          Math.abs(quantityValue(b)) > 1e15,
        true,
      );
    }),
    { numRuns: 300 },
  );
});
test("the fast path agrees with the exact one", () => {
  fc.assert(
    fc.property(
      fc
        .tuple(fc.integer({ min: 0, max: 99999 }), fc.constantFrom("", "m", "k", "M", "Ki", "Mi", "Gi"))
        .map((parts) => parts.join("")),
      (given) => {
        assert.equal(milliValue(given), Number(scaledQuantity(parseQuantity(given), -3)));
        assert.equal(quantityValue(given), Number(scaledQuantity(parseQuantity(given), 0)));
      },
    ),
    { numRuns: 300 },
  );
});
