// Cron schedules: what makes one invalid, in the words of upstream's parser (five fields, or a descriptor).

interface Bounds {
  readonly min: number;
  readonly max: number;
  readonly names?: Readonly<Record<string, number>>;
}

const months = { jan: 1, feb: 2, mar: 3, apr: 4, may: 5, jun: 6, jul: 7, aug: 8, sep: 9, oct: 10, nov: 11, dec: 12 };
const days = { sun: 0, mon: 1, tue: 2, wed: 3, thu: 4, fri: 5, sat: 6 };
const fields: readonly Bounds[] = [
  { min: 0, max: 59 },
  { min: 0, max: 23 },
  { min: 1, max: 31 },
  { min: 1, max: 12, names: months },
  { min: 0, max: 6, names: days },
];
const descriptors = new Set(["@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly"]);

/** Undefined for a schedule that is fine. */
export function cronProblem(schedule: string): string | undefined {
  if (schedule === "") return "empty spec string";
  if (schedule.startsWith("@")) {
    if (descriptors.has(schedule)) return undefined;
    if (schedule.startsWith("@every "))
      return isDuration(schedule.slice(7))
        ? undefined
        : `failed to parse duration ${schedule}: time: invalid duration ${JSON.stringify(schedule.slice(7))}`;
    return `unrecognized descriptor: ${schedule}`;
  }
  const parts = schedule.split(/\s+/).filter((part) => part !== "");
  if (parts.length !== 5) return `expected exactly 5 fields, found ${parts.length}: [${parts.join(" ")}]`;
  for (const [i, part] of parts.entries()) {
    const problem = part
      .split(",")
      .filter((piece) => piece !== "")
      .map((piece) => rangeProblem(piece, fields[i] as Bounds))
      .find((found) => found !== undefined);
    if (problem !== undefined) return problem;
  }
  return undefined;
}

function rangeProblem(text: string, bounds: Bounds): string | undefined {
  const [range = "", step, ...more] = text.split("/");
  const limits = range.split("-");
  let start: number;
  let end: number;
  if (limits[0] === "*" || limits[0] === "?") {
    start = bounds.min;
    end = bounds.max;
  } else {
    const low = numberOf(limits[0] ?? "", bounds);
    if (typeof low === "string") return low;
    start = low;
    if (limits.length === 1) end = start;
    else if (limits.length === 2) {
      const high = numberOf(limits[1] ?? "", bounds);
      if (typeof high === "string") return high;
      end = high;
    } else return `too many hyphens: ${text}`;
  }
  if (more.length > 0) return `too many slashes: ${text}`;
  if (step !== undefined) {
    const size = numberOf(step, { min: 0, max: Number.MAX_SAFE_INTEGER });
    if (typeof size === "string") return size;
    if (limits.length === 1 && limits[0] !== "*" && limits[0] !== "?") end = bounds.max;
    if (size === 0) return `step of range should be a positive number: ${text}`;
  }
  if (start < bounds.min) return `beginning of range (${start}) below minimum (${bounds.min}): ${text}`;
  if (end > bounds.max) return `end of range (${end}) above maximum (${bounds.max}): ${text}`;
  if (start > end) return `beginning of range (${start}) beyond end of range (${end}): ${text}`;
  return undefined;
}

function numberOf(text: string, bounds: Bounds): number | string {
  const named = bounds.names?.[text.toLowerCase()];
  if (named !== undefined) return named;
  if (!/^[+-]?[0-9]+$/.test(text))
    return `failed to parse int from ${text}: strconv.Atoi: parsing ${JSON.stringify(text)}: invalid syntax`;
  const value = Number(text);
  return value < 0 ? `negative number (${value}) not allowed: ${text}` : value;
}

const isDuration = (text: string): boolean => /^[+-]?((\d+(\.\d*)?|\.\d+)(ns|us|µs|ms|s|m|h))+$/.test(text) || text === "0";
