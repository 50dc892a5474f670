// The reference page says what the program takes.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { flagName } from "#base";
import { programs, upOptions } from "#cluster";
import { flagsPage, page } from "./flags.ts";

test("docs/reference/flags.md is what `node scripts/flags.ts` writes", () => {
  assert.equal(readFileSync(page, "utf8"), flagsPage());
});

test("each flag of `up` and of every component has exactly one row in its section", () => {
  const parts = flagsPage().split("\n## ");
  for (const [name, options] of [["up", upOptions] as const, ...programs.map((each) => [each.name, each.options] as const)]) {
    const section = parts.find((part) => part.split("\n")[0] === `tiphys ${name}`) ?? "";
    for (const key of Object.keys(options))
      assert.equal(
        section.split("\n").filter((line) => new RegExp(`--${flagName(key)}[ \`]`).test(line.split(" | ")[0] ?? "")).length,
        1,
        `${name} --${flagName(key)}`,
      );
  }
});
