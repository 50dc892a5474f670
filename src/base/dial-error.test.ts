// Errors of connections as Go words them.
import assert from "node:assert/strict";
import { test } from "node:test";
import { dialErrorText } from "./dial-error.ts";

test("a refused connection names what was dialled; other errors speak for themselves", () => {
  const refused = Object.assign(new Error("connect ECONNREFUSED ::1:80"), { code: "ECONNREFUSED" });
  assert.equal(dialErrorText(refused, "10.0.0.1", 80), "dial tcp 10.0.0.1:80: connect: connection refused");
  assert.equal(dialErrorText(refused, "::1", 80), "dial tcp [::1]:80: connect: connection refused");
  assert.equal(
    dialErrorText(new Error("unable to verify the first certificate"), "a", 1),
    "unable to verify the first certificate",
  );
});
