// The messages between the store and its two workers.
import type { Chunk } from "./wire.ts";

export interface LeaseChange {
  readonly id: bigint;
  /** Undefined: revoked. */
  readonly ttlSeconds: number | undefined;
}

export type Request =
  | {
      readonly kind: "commit";
      /** Packed records (wire.ts), transferred. */
      readonly buffer: ArrayBuffer;
      readonly length: number;
      readonly leases: readonly LeaseChange[];
      readonly compactedRevision: number | undefined;
      /** The store's revision after this batch. */
      readonly revision: number;
    }
  | { readonly kind: "forget"; readonly rows: Float64Array }
  /** Answered with an Answer. */
  | { readonly kind: "read"; readonly rows: Float64Array }
  | { readonly kind: "checkpoint"; readonly mode: "PASSIVE" | "RESTART" | "TRUNCATE" }
  | { readonly kind: "vacuum"; readonly pages: number }
  | { readonly kind: "sizes" }
  | { readonly kind: "freeReserve" }
  /** `opening`: on a disk with plenty of room it can wait for the first checkpoint. */
  | { readonly kind: "renewReserve"; readonly opening?: boolean }
  | { readonly kind: "close" };

/** As many of the rows asked for, from the first on, as make up a few megabytes. */
export interface Answer {
  /** How many; those that are no longer in the file count. */
  readonly rows: number;
  /** Packed records (wire.ts). */
  readonly buffer: ArrayBuffer;
  readonly length: number;
}

export interface Sizes {
  readonly bytes: number;
  readonly bytesInUse: number;
  readonly walBytes: number;
}

/** How long a transaction took. */
export interface Times {
  /** From its begin to its end. */
  readonly commitMs: number;
  /** Of these: writing the log and fsync. */
  readonly syncMs: number;
}

export interface Loaded {
  readonly revision: number;
  readonly row: number;
  readonly compactedRevision: number;
  readonly leases: readonly { readonly id: bigint; readonly ttlSeconds: number }[];
}

export type Failure = {
  readonly code: "noSpace" | "corrupt" | "io" | "locked" | "newer";
  readonly message: string;
  /** The transaction is surely not in the file. */
  readonly definite: boolean;
};

export type Reply =
  | { readonly kind: "loading"; readonly chunk: Chunk; readonly compactedRevision: number }
  | { readonly kind: "loaded"; readonly loaded: Loaded }
  | { readonly kind: "refused"; readonly failure: Failure }
  | { readonly kind: "done"; readonly id: number; readonly value?: unknown }
  | { readonly kind: "failed"; readonly id: number; readonly failure: Failure };
