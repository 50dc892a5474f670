// Ages as kubectl prints them (k8s.io/apimachinery/pkg/util/duration HumanDuration).

export function humanDuration(milliseconds: number): string {
  const seconds = Math.trunc(milliseconds / 1_000);
  if (seconds < -1) return "<invalid>";
  if (seconds < 0) return "0s";
  if (seconds < 120) return `${seconds}s`;
  const minutes = Math.trunc(seconds / 60);
  if (minutes < 10) return with2(minutes, "m", seconds % 60, "s");
  if (minutes < 180) return `${minutes}m`;
  const hours = Math.trunc(minutes / 60);
  if (hours < 8) return with2(hours, "h", minutes % 60, "m");
  if (hours < 48) return `${hours}h`;
  const days = Math.trunc(hours / 24);
  if (hours < 192) return with2(days, "d", hours % 24, "h");
  if (hours < 24 * 365 * 2) return `${days}d`;
  const years = Math.trunc(hours / (24 * 365));
  if (hours < 24 * 365 * 8) return with2(years, "y", Math.trunc(hours / 24) % 365, "d");
  return `${years}y`;
}

const with2 = (big: number, bigUnit: string, small: number, smallUnit: string): string =>
  small === 0 ? `${big}${bigUnit}` : `${big}${bigUnit}${small}${smallUnit}`;

/** "<unknown>" for an absent time. */
export const age = (time: string | undefined, nowMs: number): string =>
  time === undefined || time === "" ? "<unknown>" : humanDuration(nowMs - Date.parse(time));
