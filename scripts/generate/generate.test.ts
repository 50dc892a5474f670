// The committed data is what the generator writes.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { it } from "node:test";

const root = join(import.meta.dirname, "../..");
const facts = join(root, "../shared/api");
const missing = existsSync(join(facts, "swagger-v1.36.json")) ? false : `the upstream facts are not at ${facts}`;

it("generating again changes nothing", { skip: missing }, () => {
  const { status, stdout } = spawnSync(process.execPath, [join(root, "scripts/generate/main.ts"), "--facts", facts, "--check"], {
    encoding: "utf8",
  });
  assert.match(stdout, /^\d+ files, 0 differ$/m);
  assert.equal(status, 0);
});
