// The examples in the documents are true: the README's cluster becomes Ready as it says.
import assert from "node:assert/strict";
import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { deployments } from "#api";
import { createCluster } from "#cluster";

const root = join(import.meta.dirname, "..");

test("the README's example runs as it stands", async () => {
  const readme = readFileSync(join(root, "README.md"), "utf8");
  const code = /```ts\n([\s\S]*?)```/.exec(readme)?.[1] ?? "";
  const body = code.replace(/^import .*\n/gm, "");
  assert.match(body, /await using cluster = await createCluster/);
  const AsyncFunction = (async () => {}).constructor as new (...args: string[]) => (...args: unknown[]) => Promise<unknown>;
  const run = new AsyncFunction(
    "createCluster",
    "deployments",
    `${body}\nreturn (await cluster.client.list(deployments, { namespace: "default" })).items.length;`,
  );
  assert.equal(await run(createCluster, deployments), 1);
});

test("every file that the documents name exists", () => {
  for (const document of ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md"]) {
    const text = readFileSync(join(root, document), "utf8");
    for (const [, path = ""] of text.matchAll(/`((?:src|docs|test|bin|examples|scripts)\/[\w./-]+)`/g)) {
      if (path.includes("<")) continue;
      assert.doesNotThrow(() => statSync(join(root, path)), `${document} names "${path}"`);
    }
  }
});
