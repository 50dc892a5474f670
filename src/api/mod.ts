// The front door of `api`: object types and facts, and what can be computed from them without I/O.
export * from "./errors.ts";
export * from "./resource-type.ts";
export * from "./resources.ts";
export type * from "./scalars.ts";
export type * from "./types/mod.ts";
