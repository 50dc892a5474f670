// The admission plugins in upstream's order, and which of them are on.
import type { Clock, Random } from "#base";
import type { AdmissionPlugin, Authorizer, ObjectReader, ObjectWriter } from "../../contract.ts";

export interface AdmissionDeps {
  readonly reader: ObjectReader;
  readonly writer: ObjectWriter;
  readonly clock: Clock;
  readonly random: Random;
  readonly authorizer: Authorizer;
}

export interface AdmissionOptions extends AdmissionDeps {
  readonly enable?: readonly string[];
  readonly disable?: readonly string[];
}

export function admissionPlugins(_options: AdmissionOptions): { readonly plugins: readonly AdmissionPlugin[] } & Disposable {
  return { plugins: [], [Symbol.dispose]: () => {} };
}
