// The scalar types of API objects: JSON as it travels. Parse them into richer values at the place of use.

/** A decimal or binary-suffixed number such as "250m" or "1Gi"; see quantity.ts. */
export type Quantity = string | number;
export type IntOrString = number | string;
/** RFC 3339 in seconds: "2026-01-01T00:00:00Z". */
export type Time = string;
/** RFC 3339 in microseconds: "2026-01-01T00:00:00.000000Z". */
export type MicroTime = string;
export type JsonValue = null | boolean | number | string | readonly JsonValue[] | JsonObject;
export interface JsonObject {
  readonly [key: string]: JsonValue | undefined;
}
