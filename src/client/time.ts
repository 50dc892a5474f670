// Timestamps as the API writes them.

/** RFC 3339 in whole seconds, as metav1.Time: "2026-01-01T00:00:00Z". */
export function rfc3339(milliseconds: number): string {
  const second = Math.floor(milliseconds / 1000);
  if (second !== last.second) last = { second, text: `${new Date(second * 1000).toISOString().slice(0, 19)}Z` };
  return last.text;
}

/** Most writes of a second ask for the same one. */
let last = { second: Number.NaN, text: "" };

/** RFC 3339 with exactly six digits, as metav1.MicroTime. */
export const rfc3339Micro = (milliseconds: number): string => `${new Date(milliseconds).toISOString().slice(0, 23)}000Z`;
