// Address arithmetic and the texts that go to CNI and nft.
import assert from "node:assert/strict";
import { test } from "node:test";
import { addressAt, contains, parseRange } from "./address.ts";
import { cniConfig } from "./cni-config.ts";

test("addressAt() counts from the range's base", () => {
  const range = parseRange("10.244.3.0/24");
  assert.deepEqual(
    [0, 1, 255].map((index) => addressAt(range, index)),
    ["10.244.3.0", "10.244.3.1", "10.244.3.255"],
  );
});

test("parseRange() refuses what is no range, and says what the base should have been", () => {
  assert.throws(() => parseRange("10.244.3.7/24"), /its first address is 10\.244\.3\.0/);
  for (const text of ["10.244.3.0", "10.244.3.0/33", "10.244.300.0/24", "a/8"]) assert.throws(() => parseRange(text), /Invalid/);
});

test("contains() holds for the first and the last address and not beyond", () => {
  const range = parseRange("192.168.4.0/22");
  assert.deepEqual(
    ["192.168.3.255", "192.168.4.0", "192.168.7.255", "192.168.8.0"].map((address) => contains(range, address)),
    [false, true, true, false],
  );
});

test("cniConfig() puts the node's range into host-local and keeps port mappings", () => {
  const options = { podCidr: "10.244.1.0/24", bridge: "tiphys0", dataDirectory: "/var/lib/x", hasBandwidth: false };
  const config = JSON.parse(cniConfig(options)) as {
    plugins: { type: string; ipam?: { ranges: unknown } }[];
  };
  assert.deepEqual(
    config.plugins.map((plugin) => plugin.type),
    ["bridge", "portmap"],
  );
  assert.deepEqual(config.plugins[0]?.ipam?.ranges, [[{ subnet: "10.244.1.0/24" }]]);
});

test("cniConfig() lets pods be held to a bandwidth where the plugin for it is installed", () => {
  const last = (hasBandwidth: boolean): unknown =>
    (
      JSON.parse(cniConfig({ podCidr: "10.244.1.0/24", bridge: "b", dataDirectory: "/x", hasBandwidth })) as { plugins: object[] }
    ).plugins.at(-1);
  assert.deepEqual(last(true), { type: "bandwidth", capabilities: { bandwidth: true } });
  assert.notDeepEqual(last(false), last(true));
});
