import assert from "node:assert/strict";
import { test } from "node:test";
import { parseSchedule } from "./schedule.ts";

const rows: readonly [schedule: string, after: string, next: string, zone?: string][] = [
  ["*/5 * * * *", "2026-01-01T00:00:00Z", "2026-01-01T00:05:00Z"],
  ["*/5 * * * *", "2026-01-01T00:04:59Z", "2026-01-01T00:05:00Z"],
  ["30 4 * * *", "2026-01-01T05:00:00Z", "2026-01-02T04:30:00Z"],
  ["0 0 29 2 *", "2026-01-01T00:00:00Z", "2028-02-29T00:00:00Z"],
  ["0 12 1 jan-mar mon", "2026-01-02T00:00:00Z", "2026-01-05T12:00:00Z"],
  ["0 12 * * mon", "2026-01-01T00:00:00Z", "2026-01-05T12:00:00Z"],
  ["0 12 13 * *", "2026-01-01T00:00:00Z", "2026-01-13T12:00:00Z"],
  ["5/20 * * * *", "2026-01-01T00:06:00Z", "2026-01-01T00:25:00Z"],
  ["@hourly", "2026-01-01T00:10:00Z", "2026-01-01T01:00:00Z"],
  ["@weekly", "2026-01-01T00:00:00Z", "2026-01-04T00:00:00Z"],
  ["@every 1h30m", "2026-01-01T00:00:10Z", "2026-01-01T01:30:10Z"],
  ["0 9 * * *", "2026-01-01T00:00:00Z", "2026-01-01T08:00:00Z", "Europe/Berlin"],
  ["0 9 * * *", "2026-07-01T00:00:00Z", "2026-07-01T07:00:00Z", "Europe/Berlin"],
  ["30 0 * * *", "2026-01-01T00:00:00Z", "2026-01-01T19:00:00Z", "Asia/Kolkata"],
  // The day on which clocks go forward has 23 hours.
  ["0 12 * * *", "2026-03-28T23:30:00Z", "2026-03-29T10:00:00Z", "Europe/Berlin"],
];

for (const [schedule, after, next, zone] of rows)
  test(`"${schedule}"${zone === undefined ? "" : ` in ${zone}`} after ${after} is due at ${next}`, () => {
    assert.equal(new Date(parseSchedule(schedule, zone).next(Date.parse(after)) ?? 0).toISOString(), next.replace("Z", ".000Z"));
  });

test("a date that never comes has no next time", () => {
  assert.equal(parseSchedule("0 0 30 2 *").next(0), undefined);
});

for (const [schedule, want] of [
  ["* * * *", /expected exactly 5 fields, found 4/],
  ["60 * * * *", /end of range \(60\) above maximum \(59\): 60/],
  ["* * 0 * *", /beginning of range \(0\) below minimum \(1\): 0/],
  ["*/0 * * * *", /step of range should be a positive number/],
  ["@never", /unrecognized descriptor: @never/],
  ["x * * * *", /failed to parse int from x/],
] as const)
  test(`"${schedule}" is refused`, () => {
    assert.throws(() => parseSchedule(schedule), want);
  });

test("an unknown time zone is refused", () => {
  assert.throws(() => parseSchedule("* * * * *", "Mars/Olympus"), /unknown time zone Mars\/Olympus/);
});
