// What a runtime says of itself and its containers, from the bytes on the wire.
import assert from "node:assert/strict";
import { test } from "node:test";
import { cgroupDriverFromCri, writableLayerFromCri } from "./from-cri.ts";
import { criProtocol } from "./messages.ts";

const { messages } = criProtocol();
/** As it arrives: values that are an enumeration's or a number's default are not sent. */
const received = (type: string, message: object) => {
  const full = `runtime.v1.${type}`;
  return messages.decode(full, messages.encode(full, message));
};

test("a runtime that says systemd is told from one that says cgroupfs and one that says nothing", () => {
  const driver = (message: object): string => cgroupDriverFromCri(received("RuntimeConfigResponse", message));
  assert.equal(driver({ linux: { cgroupDriver: "SYSTEMD" } }), "systemd");
  assert.equal(driver({ linux: { cgroupDriver: "CGROUPFS" } }), "cgroupfs");
  assert.equal(driver({}), "cgroupfs");
});

test("a container's writable layer is its bytes, and none before the runtime has measured", () => {
  const layer = (message: object) => writableLayerFromCri(received("ContainerStats", message));
  assert.deepEqual(layer({ attributes: { id: "c1" }, writableLayer: { usedBytes: { value: 4096 } } }), ["c1", 4096]);
  assert.deepEqual(layer({ attributes: { id: "c1" } }), ["c1", 0]);
  assert.throws(() => layer({}), /the runtime returns the id/);
});
