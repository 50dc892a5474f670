// The front door of `apiserver`.
export type * from "./contract.ts";
