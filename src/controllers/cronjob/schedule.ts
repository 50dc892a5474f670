// Cron schedules as upstream reads them (robfig/cron v3 standard format): five fields, names, steps, descriptors, "@every 1h30m", time zones.

import { own } from "#base";
export interface Schedule {
  /** The first time after `afterMs`, or undefined when there is none within five years. Milliseconds since 1970. */
  next(afterMs: number): number | undefined;
}

const descriptors: Readonly<Record<string, string>> = {
  "@yearly": "0 0 1 1 *",
  "@annually": "0 0 1 1 *",
  "@monthly": "0 0 1 * *",
  "@weekly": "0 0 * * 0",
  "@daily": "0 0 * * *",
  "@midnight": "0 0 * * *",
  "@hourly": "0 * * * *",
};
const months = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const weekdays = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];
const minuteMs = 60_000;
const hourMs = 3_600_000;
const dayMs = 86_400_000;

interface Field {
  readonly values: ReadonlySet<number>;
  /** Written as "*" or "?": then only the other day field counts. */
  readonly any: boolean;
}

/** Throws with the reason for an unreadable schedule or an unknown time zone. */
export function parseSchedule(text: string, timeZone?: string): Schedule {
  const trimmed = text.trim();
  if (trimmed.startsWith("@every ")) return everySchedule(trimmed.slice("@every ".length));
  const spec = own(descriptors, trimmed) ?? trimmed;
  if (spec.startsWith("@")) throw new Error(`unrecognized descriptor: ${spec}`);
  const fields = spec.split(/\s+/);
  if (fields.length !== 5) throw new Error(`expected exactly 5 fields, found ${fields.length}: [${fields.join(" ")}]`);
  const [minute, hour, day, month, weekday] = [
    parseField(fields[0] ?? "", 0, 59),
    parseField(fields[1] ?? "", 0, 23),
    parseField(fields[2] ?? "", 1, 31),
    parseField(fields[3] ?? "", 1, 12, months, 1),
    parseField(fields[4] ?? "", 0, 6, weekdays, 0),
  ];
  const offset = offsetOf(timeZone);
  const dayMatches = (local: Date): boolean => {
    const inMonth = day.values.has(local.getUTCDate());
    const inWeek = weekday.values.has(local.getUTCDay());
    return day.any || weekday.any ? inMonth && inWeek : inMonth || inWeek;
  };
  return {
    next: (afterMs) => {
      let at = (Math.floor(afterMs / minuteMs) + 1) * minuteMs;
      const limit = at + 5 * 366 * dayMs;
      while (at < limit) {
        // The local wall clock, carried in a Date's UTC fields.
        const shift = offset(at);
        const local = new Date(at + shift);
        if (!month.values.has(local.getUTCMonth() + 1))
          at = toUtc(Date.UTC(local.getUTCFullYear(), local.getUTCMonth() + 1, 1), offset);
        else if (!dayMatches(local))
          at = toUtc(Date.UTC(local.getUTCFullYear(), local.getUTCMonth(), local.getUTCDate() + 1), offset);
        else if (!hour.values.has(local.getUTCHours())) at += hourMs - ((at + shift) % hourMs);
        else if (!minute.values.has(local.getUTCMinutes())) at += minuteMs;
        else return at;
      }
      return undefined;
    },
  };
}

function toUtc(local: number, offset: (at: number) => number): number {
  const guess = local - offset(local);
  return local - offset(guess);
}

function offsetOf(timeZone: string | undefined): (at: number) => number {
  if (timeZone === undefined || timeZone === "UTC" || timeZone === "Etc/UTC") return () => 0;
  let format: Intl.DateTimeFormat;
  try {
    format = new Intl.DateTimeFormat("en-US", {
      timeZone,
      hourCycle: "h23",
      year: "numeric",
      month: "numeric",
      day: "numeric",
      hour: "numeric",
      minute: "numeric",
      second: "numeric",
    });
  } catch {
    throw new Error(`unknown time zone ${timeZone}`);
  }
  return (at) => {
    const part = new Map(format.formatToParts(at).map(({ type, value }) => [type, Number(value)]));
    const local = Date.UTC(
      part.get("year") ?? 0,
      (part.get("month") ?? 1) - 1,
      part.get("day"),
      part.get("hour"),
      part.get("minute"),
      part.get("second"),
    );
    return local - Math.floor(at / 1000) * 1000;
  };
}

function parseField(text: string, min: number, max: number, names: readonly string[] = [], firstName = 0): Field {
  const values = new Set<number>();
  let any = false;
  const number = (word: string): number => {
    const named = names.indexOf(word.toLowerCase());
    if (named !== -1) return named + firstName;
    if (!/^\d+$/.test(word)) throw new Error(`failed to parse int from ${word}`);
    return Number(word);
  };
  for (const part of text.split(",")) {
    const [range = "", stepText, ...rest] = part.split("/");
    if (rest.length > 0) throw new Error(`too many slashes: ${part}`);
    const step = stepText === undefined ? 1 : number(stepText);
    if (step === 0) throw new Error(`step of range should be a positive number: ${part}`);
    let [from, to] = [min, max];
    if (range === "*" || range === "?") any ||= step === 1;
    else {
      const ends = range.split("-");
      if (ends.length > 2) throw new Error(`too many hyphens: ${part}`);
      from = number(ends[0] ?? "");
      // "5/15" means from 5 on.
      to = ends[1] === undefined ? (stepText === undefined ? from : max) : number(ends[1]);
    }
    if (from < min) throw new Error(`beginning of range (${from}) below minimum (${min}): ${part}`);
    if (to > max) throw new Error(`end of range (${to}) above maximum (${max}): ${part}`);
    if (from > to) throw new Error(`beginning of range (${from}) beyond end of range (${to}): ${part}`);
    for (let value = from; value <= to; value += step) values.add(value);
  }
  return { values, any };
}

function everySchedule(text: string): Schedule {
  const units: Readonly<Record<string, number>> = { h: hourMs, m: minuteMs, s: 1000 };
  let period = 0;
  let rest = text;
  while (rest !== "") {
    const match = /^(\d+(?:\.\d+)?)(h|ms|m|s)/.exec(rest);
    if (match === null) throw new Error(`failed to parse duration @every ${text}`);
    period += Number(match[1]) * (match[2] === "ms" ? 1 : (units[match[2] ?? ""] ?? 0));
    rest = rest.slice(match[0].length);
  }
  period = Math.max(1000, Math.floor(period / 1000) * 1000);
  return { next: (afterMs) => Math.floor(afterMs / 1000) * 1000 + period };
}
