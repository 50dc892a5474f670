// What a ControllerRevision stores.
import assert from "node:assert/strict";
import { it } from "node:test";
import type { PodTemplateSpec } from "#api";
import { revisionData } from "./revisions.ts";

it("revisionData() writes fields in the order of their names, as clients that compare bytes expect", () => {
  const template = {
    spec: { restartPolicy: "Always", containers: [{ name: "b", image: "a" }, { name: "a" }] },
    metadata: { labels: { b: "1", a: "2" } },
  } as unknown as PodTemplateSpec;
  assert.equal(
    JSON.stringify(revisionData(template)),
    '{"spec":{"template":{"$patch":"replace","metadata":{"labels":{"a":"2","b":"1"}},"spec":{"containers":[{"image":"a","name":"b"},{"name":"a"}],"restartPolicy":"Always"}}}}',
  );
});
