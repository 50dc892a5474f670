// The order of fields that Go's encoder gives to maps: by name.

/** For JSON.stringify: equal objects become equal texts. */
export const sortKeys = (_key: string, value: unknown): unknown =>
  typeof value === "object" && value !== null && !Array.isArray(value)
    ? Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)))
    : value;
