// JSON as Go's encoder writes it: keys sorted, and what HTML would take for its own escaped.

/** Indented by four, as a whole answer. */
export const jsonText = (value: unknown): string => `${text(value, 4)}\n`;

/** On one line, as part of another text. */
export const compactJson = (value: unknown): string => text(value, 0);

const text = (value: unknown, indent: number): string =>
  JSON.stringify(sorted(value), undefined, indent)
    .replaceAll("<", "\\u003c")
    .replaceAll(">", "\\u003e")
    .replaceAll("&", "\\u0026");

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, item]) => [key, sorted(item)]),
  );
}
