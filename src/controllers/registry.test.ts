import assert from "node:assert/strict";
import { test } from "node:test";
import { assertKnown, controllers, isEnabled } from "./registry.ts";

test("no controller is in the registry twice", () => {
  assert.equal(new Set(controllers.map(({ name }) => name)).size, controllers.length);
});

const enabled = (...selection: string[]): string[] =>
  controllers.filter((entry) => isEnabled(entry, selection)).map(({ name }) => name);

test("--controllers reads as upstream's: star, name, minus name", () => {
  assert.equal(enabled("*").length, controllers.filter(({ offByDefault }) => offByDefault !== true).length);
  assert.deepEqual(enabled("job-controller"), ["job-controller"]);
  assert.ok(!enabled("*", "-job-controller").includes("job-controller"));
  assert.deepEqual(enabled(), []);
});

test("an unknown controller is refused by name", () => {
  assert.throws(
    () => assertKnown(["*", "-nonsense"], controllers),
    /Cannot select controller "-nonsense": there is no "nonsense"/,
  );
});
