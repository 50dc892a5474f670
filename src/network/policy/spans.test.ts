// Address blocks and ports as spans.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { IPBlock } from "#api";
import { addressesOf, addressSpanText, isEverything, portSpanText, union } from "./spans.ts";

const texts = (...blocks: IPBlock[]): string[] => addressesOf(blocks).map(addressSpanText);

for (const { name, blocks, expected } of [
  { name: "a block is its addresses", blocks: [{ cidr: "10.0.0.0/30" }], expected: ["10.0.0.0-10.0.0.3"] },
  { name: "one address is written alone", blocks: [{ cidr: "10.0.0.7/32" }], expected: ["10.0.0.7"] },
  {
    name: "exceptions are holes, also at the ends",
    blocks: [{ cidr: "10.0.0.0/28", except: ["10.0.0.0/30", "10.0.0.6/31", "10.0.0.15/32"] }],
    expected: ["10.0.0.4-10.0.0.5", "10.0.0.8-10.0.0.14"],
  },
  { name: "an exception of everything leaves nothing", blocks: [{ cidr: "10.0.0.0/24", except: ["10.0.0.0/24"] }], expected: [] },
  {
    name: "what one block excludes another may allow",
    blocks: [{ cidr: "10.0.0.0/24", except: ["10.0.0.0/25"] }, { cidr: "10.0.0.0/25" }],
    expected: ["10.0.0.0-10.0.0.255"],
  },
  {
    name: "blocks that overlap or touch are one",
    blocks: [{ cidr: "10.0.1.0/24" }, { cidr: "10.0.0.0/24" }, { cidr: "10.0.0.128/25" }],
    expected: ["10.0.0.0-10.0.1.255"],
  },
  {
    name: "everything but a private range",
    blocks: [{ cidr: "0.0.0.0/0", except: ["10.0.0.0/8"] }],
    expected: ["0.0.0.0-9.255.255.255", "11.0.0.0-255.255.255.255"],
  },
  { name: "IPv6 blocks hold no address of the pod network", blocks: [{ cidr: "2001:db8::/32" }], expected: [] },
])
  test(name, () => assert.deepEqual(texts(...blocks), expected));

test("only the whole of IPv4 is everything", () => {
  assert.equal(isEverything(addressesOf([{ cidr: "0.0.0.0/0" }])), true);
  assert.equal(isEverything(addressesOf([{ cidr: "0.0.0.0/1" }, { cidr: "128.0.0.0/1" }])), true);
  for (const blocks of [[{ cidr: "0.0.0.0/1" }], [{ cidr: "0.0.0.0/0", except: ["255.255.255.255/32"] }], []])
    assert.equal(isEverything(addressesOf(blocks)), false);
});

test("ports that overlap or touch are one span", () =>
  assert.deepEqual(
    union([
      { first: 8080, last: 8080 },
      { first: 80, last: 90 },
      { first: 85, last: 100 },
      { first: 101, last: 101 },
    ]).map(portSpanText),
    ["80-101", "8080"],
  ));
