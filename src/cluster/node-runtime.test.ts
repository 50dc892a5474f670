// Where a container runtime is that is there already.
import assert from "node:assert/strict";
import { test } from "node:test";
import { criAddress } from "./node-runtime.ts";

test("criAddress() takes a socket in every usual form and nothing else", () => {
  for (const endpoint of ["unix:///run/x.sock", "unix:/run/x.sock", "/run/x.sock"])
    assert.equal(criAddress(endpoint), "unix:/run/x.sock");
  for (const endpoint of ["", "run/x.sock", "tcp://h:1", "unix://run/x.sock"])
    assert.throws(() => criAddress(endpoint), /Invalid container runtime endpoint/, endpoint);
});
