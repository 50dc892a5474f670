// The front door of `store`.
export * from "./store.ts";
