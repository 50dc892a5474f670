// Content negotiation.
import assert from "node:assert/strict";
import { describe, it, test } from "node:test";
import { checkRoute, checkType, negotiate } from "./accept.ts";

const rows: readonly (readonly [accept: string | undefined, format: string | undefined, transform?: string])[] = [
  [undefined, "json", "none"],
  ["*/*", "json", "none"],
  ["application/yaml", "yaml", "none"],
  ["application/vnd.kubernetes.protobuf,application/json", "protobuf", "none"],
  ["text/html, */*;q=0.1", "json", "none"],
  ["application/json;as=Table;v=v1;g=meta.k8s.io,application/json", "json", "Table"],
  ["application/json;as=Nope;v=v1;g=meta.k8s.io,application/json", "json", "none"],
  ["application/json;as=Table", undefined],
  ["application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io", "json", "PartialObjectMetadataList"],
  ["text/html", undefined],
];

describe("negotiate()", () => {
  for (const [accept, format, transform] of rows) {
    it(`answers "${accept}" with ${format === undefined ? "406" : `${format} ${transform}`}`, () => {
      const accepted = negotiate(accept, true);
      assert.equal(accepted?.format, format);
      if (transform !== undefined) assert.equal(accepted?.transform, transform);
    });
  }

  it("offers no tables where there is no object", () => {
    assert.equal(negotiate("application/json;as=Table;v=v1;g=meta.k8s.io", false), undefined);
  });
});

describe("checkRoute()", () => {
  it("knows exact types only", () => {
    assert.equal(checkRoute("application/json;q=0", false), undefined);
    assert.equal(checkRoute("application/*", false)?.code, 406);
    assert.match(checkRoute("application/JSON", true)?.message ?? "", /application\/json;stream=watch/);
  });
});

test("a route of one type is refused to whoever accepts others only", () => {
  for (const accept of [undefined, "", "*/*", "text/html, application/json;as=Table"])
    assert.equal(checkType(accept, "application/json"), undefined);
  const { code, message } = checkType("application/yaml", "application/json") ?? {};
  assert.deepEqual([code, message], [406, "406: Not Acceptable\n\nAvailable representations: application/json"]);
});
