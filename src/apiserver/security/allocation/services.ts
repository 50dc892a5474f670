// Gives Services their cluster IPs and node ports, and takes them back.
import type { ApiObject } from "#api";
import type { Random } from "#base";
import type { ObjectReader, ObjectWriter } from "../../contract.ts";

/** What an allocation holds until the write is decided. */
export interface Allocation {
  /** The service with its addresses, ports and IP families filled in. */
  readonly object: ApiObject;
  /** The write failed, or was a dry run: gives back what was taken for it. */
  release(): Promise<void>;
  /** The write is durable: gives back what the old version had and the new one has not. */
  commit(): Promise<void>;
}

export interface ServiceAllocatorOptions {
  readonly reader: ObjectReader;
  readonly writer: ObjectWriter;
  readonly random: Random;
  readonly ranges: readonly string[];
  readonly nodePorts: readonly [number, number];
}

export class ServiceAllocator implements Disposable {
  // biome-ignore lint/complexity/noUselessConstructor: takes shape with the allocators
  constructor(_options: ServiceAllocatorOptions) {}

  async allocate(service: ApiObject, _old: ApiObject | undefined, _dryRun: boolean): Promise<Allocation> {
    return { object: service, release: async () => {}, commit: async () => {} };
  }

  [Symbol.dispose](): void {}
}
