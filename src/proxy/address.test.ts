// Addresses and ranges: what is taken, and what only looks like one.
import assert from "node:assert/strict";
import { test } from "node:test";
import { formatRange, isIpv4, parseIpv4Range, rangeContains, withoutNested } from "./address.ts";

test("isIpv4() takes dotted quads and nothing that only looks like one", () => {
  for (const text of ["0.0.0.0", "255.255.255.255", "10.96.0.1"]) assert.ok(isIpv4(text), text);
  for (const text of ["", "1.2.3", "1.2.3.256", "01.2.3.4", "1.2.3.4 ", "1.2.3.4\n", "::1", "1.2.3.4; drop", undefined])
    assert.ok(!isIpv4(text), String(text));
});

test("parseIpv4Range() clears the bits behind the prefix, and refuses what is no range", () => {
  const format = (text: string): string | undefined => {
    const range = parseIpv4Range(text);
    return range && formatRange(range);
  };
  assert.equal(format("10.1.2.3/8"), "10.0.0.0/8");
  assert.equal(format(" 255.255.255.255/32 "), "255.255.255.255/32");
  assert.equal(format("1.2.3.4/0"), "0.0.0.0/0");
  for (const text of ["10.0.0.0", "10.0.0.0/33", "10.0.0.0/", "10.0.0.0/8/8", "fd00::/8", "10.0.0.0/-1"])
    assert.equal(format(text), undefined, text);
});

test("rangeContains() and withoutNested() agree about what lies inside", () => {
  const ranges = ["10.1.0.0/16", "10.0.0.0/8", "10.0.0.0/8", "192.0.2.128/25", "192.0.2.0/25"].map(
    (text) => parseIpv4Range(text) ?? assert.fail(text),
  );
  assert.deepEqual(withoutNested(ranges).map(formatRange), ["10.0.0.0/8", "192.0.2.0/25", "192.0.2.128/25"]);
  assert.ok(rangeContains(ranges[3] ?? assert.fail(), "192.0.2.255"));
  assert.ok(!rangeContains(ranges[3] ?? assert.fail(), "192.0.2.127"));
});
