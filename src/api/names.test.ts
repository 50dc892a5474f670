// Names, keys and values: upstream's rules and sentences.
import assert from "node:assert/strict";
import { test } from "node:test";
import { deepEqual, semanticEqual } from "./deep-equal.ts";
import { goQuote } from "./errors.ts";
import { resolveFenceposts, scaledValue } from "./int-or-string.ts";
import {
  isConfigMapKey,
  isDns1035Label,
  isDns1123Label,
  isDns1123Subdomain,
  isLabelKey,
  isLabelValue,
  isPortName,
} from "./names.ts";
import { ipFamily, validateCIDR } from "./validation/basics.ts";
import { cronProblem } from "./validation/cron.ts";
import { canonicalIPv6 } from "./validation/network.ts";

const good: readonly (readonly [check: (value: string) => string[], values: readonly string[]])[] = [
  [isDns1123Label, ["a", "a-b", "9a", "a".repeat(63)]],
  [isDns1123Subdomain, ["a.b", "a", "1.2", "a".repeat(253)]],
  [isDns1035Label, ["a", "a1-b"]],
  [isLabelKey, ["a", "A_b.c", "x.y/Z", "kubernetes.io/a"]],
  [isLabelValue, ["", "a", "A_b-c.1"]],
  [isConfigMapKey, ["a", ".a", "a_B-c.d"]],
  [isPortName, ["http", "a-1"]],
];
for (const [check, values] of good)
  test(`${check.name} accepts ${values.map((value) => value.slice(0, 12)).join(", ")}`, () =>
    assert.deepEqual(values.flatMap(check), []));

const bad: readonly (readonly [check: (value: string) => string[], value: string, first: string])[] = [
  [isDns1123Label, "a.b", "must not contain dots"],
  [isDns1123Label, "a".repeat(64), "must be no more than 63 characters"],
  [
    isDns1123Label,
    "A",
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')",
  ],
  [
    isDns1035Label,
    "9a",
    "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')",
  ],
  [isLabelKey, "/a", "prefix part must be non-empty"],
  [isLabelKey, "a/", "name part must be non-empty"],
  [isConfigMapKey, "..", "must not be '..'"],
  [isConfigMapKey, "..a", "must not start with '..'"],
  [isPortName, "a--b", "must not contain consecutive hyphens"],
];
for (const [check, value, first] of bad)
  test(`${check.name} refuses "${value.slice(0, 12)}": ${first.slice(0, 30)}`, () => assert.equal(check(value)[0], first));

test("texts are quoted as Go quotes them", () => assert.equal(goQuote('a"\\\n\u0001\u0007é'), '"a\\"\\\\\\n\\x01\\aé"'));

test("equality ignores key order and absent keys; the semantic one also empty values", () => {
  assert.ok(deepEqual({ a: 1, b: [1, { c: undefined }] }, { b: [1, {}], a: 1 }));
  assert.ok(!deepEqual({ a: null }, {}) && !deepEqual([1], [1, 2]) && !deepEqual({ a: 1 }, { a: 1, b: 2 }));
  assert.ok(semanticEqual({ a: null, b: [], c: {} }, {}) && !semanticEqual({ a: 0 }, {}));
});

test("percentages of a rolling update round surge up and unavailable down, and never both to nothing", () => {
  assert.equal(scaledValue("25%", 3, true), 1);
  assert.equal(scaledValue("25%", 3, false), 0);
  assert.deepEqual(resolveFenceposts("25%", "25%", 4), { surge: 1, unavailable: 1 });
  assert.deepEqual(resolveFenceposts(0, "1%", 4), { surge: 0, unavailable: 1 });
  assert.throws(() => scaledValue("x", 3, true));
});

test("addresses and ranges are read strictly", () => {
  assert.deepEqual(
    ["10.0.0.1", "010.0.0.1", "256.0.0.1", "::1", "fe80::1%eth0", "1:2:3:4:5:6:7:8", "1::2::3", "::ffff:1.2.3.4"].map(ipFamily),
    [4, undefined, undefined, 6, undefined, 6, undefined, 6],
  );
  assert.deepEqual(
    ["10.0.0.0/8", "fd00::/64", "10.0.0.0/33", "10.0.0.0", "x/8"].map((range) => validateCIDR(range, "f").length),
    [0, 0, 1, 1, 1],
  );
  assert.deepEqual(["FD00::1", "1:0:0:2:0:0:0:3", "0:0:0:0:0:0:0:0", "2001:db8:0:1:1:1:1:1"].map(canonicalIPv6), [
    "fd00::1",
    "1:0:0:2::3",
    "::",
    "2001:db8:0:1:1:1:1:1",
  ]);
});

test("cron schedules follow the parser's rules, odd ones included", () => {
  for (const fine of [
    "* * * * *",
    "*/5 0 1,15 jan-mar MON",
    "@hourly",
    "@every 1h30m",
    "@every -5m",
    "*/70 * * * *",
    "? * * * *",
    "0 0 * * 0",
  ])
    assert.equal(cronProblem(fine), undefined, fine);
  for (const wrong of ["bad", "* * * *", "60 * * * *", "0 0 * * 7", "@reboot", "5-1 * * * *", "*/0 * * * *", "a * * * *"])
    assert.notEqual(cronProblem(wrong), undefined, wrong);
});
