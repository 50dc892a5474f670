// Timestamps as the API writes them.

/** RFC 3339 in whole seconds, as metav1.Time: "2026-01-01T00:00:00Z". */
export const rfc3339 = (milliseconds: number): string => `${new Date(milliseconds).toISOString().slice(0, 19)}Z`;

/** RFC 3339 with exactly six digits, as metav1.MicroTime. */
export const rfc3339Micro = (milliseconds: number): string => `${new Date(milliseconds).toISOString().slice(0, 23)}000Z`;
