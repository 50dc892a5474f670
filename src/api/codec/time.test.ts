// Times as Go reads them, with Go's errors.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { normalizeMicroTime, normalizeTime, parseTime } from "./time.ts";

const layout = "2006-01-02T15:04:05Z07:00";

describe("normalizeTime()", () => {
  for (const [text, expected] of [
    ["2024-01-01T00:00:00Z", "2024-01-01T00:00:00Z"],
    ["2024-01-01T02:00:00+02:00", "2024-01-01T00:00:00Z"],
    ["2024-02-29T23:59:59.999Z", "2024-02-29T23:59:59Z"],
    ["2023-12-31T20:30:00-03:30", "2024-01-01T00:00:00Z"],
    ["0001-01-01T00:00:00Z", "0001-01-01T00:00:00Z"],
  ] as const) {
    it(`reads ${text}`, () => assert.equal(normalizeTime(text), expected));
  }

  for (const [text, message] of [
    ["", `parsing time "" as "${layout}": cannot parse "" as "2006"`],
    ["2024-01-01", `parsing time "2024-01-01" as "${layout}": cannot parse "" as "T"`],
    ["2024-13-01T00:00:00Z", 'parsing time "2024-13-01T00:00:00Z": month out of range'],
    ["2024-02-30T00:00:00Z", 'parsing time "2024-02-30T00:00:00Z": day out of range'],
    ["2024-01-01T24:00:00Z", 'parsing time "2024-01-01T24:00:00Z": hour out of range'],
    ["2024-01-01T00:00:00", `parsing time "2024-01-01T00:00:00" as "${layout}": cannot parse "" as "Z07:00"`],
    ["2024-01-01T00:00:00Zx", 'parsing time "2024-01-01T00:00:00Zx": extra text: "x"'],
  ] as const) {
    it(`refuses ${JSON.stringify(text)} in Go's words`, () =>
      assert.throws(() => normalizeTime(text), { name: "DecodeError", message }));
  }
});

describe("normalizeMicroTime()", () => {
  it("wants six digits and keeps them", () => {
    assert.equal(normalizeMicroTime("2024-01-01T02:00:00.000001+02:00"), "2024-01-01T00:00:00.000001Z");
    assert.throws(() => normalizeMicroTime("2024-01-01T00:00:00Z"), /cannot parse "Z" as ".000000"/);
  });
});

describe("parseTime()", () => {
  it("gives seconds and nanoseconds", () =>
    assert.deepEqual(parseTime("1970-01-01T00:00:01.5Z"), { seconds: 1, nanos: 500_000_000 }));
});
