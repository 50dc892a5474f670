// The flags of static pods from a URL.
import assert from "node:assert/strict";
import { test } from "node:test";
import { readOptions } from "#base";
import { manifestUrlOf, manifestUrlOptions } from "./manifest-url.ts";

const given = (texts: Parameters<typeof readOptions>[1]) => manifestUrlOf(readOptions(manifestUrlOptions, texts));

test("manifestUrlOf() splits headers at their first colon and keeps their order", () => {
  assert.equal(given({}), undefined);
  assert.deepEqual(given({ manifestUrl: "http://h/" }), { url: "http://h/", headers: [], everyMs: 20_000 });
  assert.deepEqual(given({ manifestUrl: "http://h/", manifestUrlHeader: ["b:1", "a: x:y", "b:2"], httpCheckFrequency: "5s" }), {
    url: "http://h/",
    headers: [
      ["b", "1"],
      ["a", "x:y"],
      ["b", "2"],
    ],
    everyMs: 5000,
  });
  assert.throws(() => given({ manifestUrlHeader: [":x"] }), /Invalid value ":x" for --manifest-url-header/);
});
