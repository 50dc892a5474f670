// The front door of `cli`: nothing imports it; `main.ts` is the program.
export { addFlags, normaliseArguments, readFlags } from "./flags.ts";
