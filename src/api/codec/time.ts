// Times as Go reads and writes them: RFC 3339 in, UTC out, and Go's words for what is wrong.
import { DecodeError } from "./errors.ts";

const timeLayout = "2006-01-02T15:04:05Z07:00";
const microTimeLayout = "2006-01-02T15:04:05.000000Z07:00";

/** "2024-01-01T02:00:00.5+02:00" -> "2024-01-01T00:00:00Z". Throws `DecodeError`. */
export function normalizeTime(text: string): string {
  if (/^\d{4}-(0[1-9]|1[0-2])-(0[1-9]|1\d|2[0-8])T([01]\d|2[0-3]):[0-5]\d:[0-5]\dZ$/.test(text)) return text;
  return formatSeconds(parseTime(text, timeLayout).seconds);
}

/** "2024-01-01T00:00:00.5Z" -> "2024-01-01T00:00:00.500000Z". Throws `DecodeError`. */
export function normalizeMicroTime(text: string): string {
  const { seconds, nanos } = parseTime(text, microTimeLayout);
  return `${formatSeconds(seconds).slice(0, -1)}.${String(Math.floor(nanos / 1000)).padStart(6, "0")}Z`;
}

/** Seconds since 1970 and the nanoseconds after them. Throws `DecodeError`. */
export function parseTime(text: string, layout: string = timeLayout): { seconds: number; nanos: number } {
  const fail = (rest: string, element: string): never => {
    throw new DecodeError(
      `parsing time ${JSON.stringify(text)} as "${layout}": cannot parse ${JSON.stringify(rest)} as "${element}"`,
    );
  };
  const outOfRange = (what: string): never => {
    throw new DecodeError(`parsing time ${JSON.stringify(text)}: ${what} out of range`);
  };
  let rest = text;
  const take = (pattern: RegExp, element: string): string => {
    const match = pattern.exec(rest);
    if (match === null) return fail(rest, element);
    rest = rest.slice(match[0].length);
    return match[0];
  };
  const year = Number(take(/^\d{4}/, "2006"));
  take(/^-/, "-");
  const month = Number(take(/^\d{2}/, "01"));
  if (month < 1 || month > 12) outOfRange("month");
  take(/^-/, "-");
  const day = Number(take(/^\d{2}/, "02"));
  take(/^T/, "T");
  const hour = Number(take(/^\d{2}/, "15"));
  if (hour > 23) outOfRange("hour");
  take(/^:/, ":");
  const minute = Number(take(/^\d{2}/, "04"));
  if (minute > 59) outOfRange("minute");
  take(/^:/, ":");
  const second = Number(take(/^\d{2}/, "05"));
  if (second > 59) outOfRange("second");
  // a fraction may follow the seconds whatever the layout says; a layout that has one insists on its six digits
  const fraction = layout === microTimeLayout ? take(/^[.,]\d{6}/, ".000000") : (/^[.,]\d+/.exec(rest)?.[0] ?? "");
  if (layout !== microTimeLayout) rest = rest.slice(fraction.length);
  const zone = take(/^(Z|[+-]\d{2}:\d{2})/, "Z07:00");
  if (rest !== "") throw new DecodeError(`parsing time ${JSON.stringify(text)}: extra text: ${JSON.stringify(rest)}`);
  const daysInMonth = new Date(Date.UTC(2000 + (year % 400), month, 0)).getUTCDate();
  if (day < 1 || day > daysInMonth) outOfRange("day");
  const offset =
    zone === "Z" ? 0 : (zone.startsWith("-") ? -1 : 1) * (Number(zone.slice(1, 3)) * 60 + Number(zone.slice(4, 6))) * 60;
  const date = new Date(0);
  date.setUTCFullYear(year, month - 1, day);
  const seconds = date.getTime() / 1000 + hour * 3600 + minute * 60 + second - offset;
  return { seconds, nanos: Number(fraction.slice(1, 10).padEnd(9, "0")) };
}

/** Seconds since 1970 -> "2024-01-01T00:00:00Z". */
export const formatSeconds = (seconds: number): string => `${new Date(seconds * 1000).toISOString().slice(0, -5)}Z`;
