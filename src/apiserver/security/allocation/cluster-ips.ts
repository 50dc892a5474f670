// Cluster IPs: each one taken is an IPAddress object, whose creation decides between writers (KEP-1880).
import { type ApiObject, type IPAddress, ipAddresses, isAlreadyExists } from "#api";
import { type Address, addressAt, addressText, contains, parseAddress, type Random, type Range, randomInt } from "#base";
import type { ObjectReader, ObjectWriter } from "../../contract.ts";
import type { Family } from "./families.ts";

export interface ServiceRef {
  readonly namespace: string;
  readonly name: string;
}

export type Taken = { readonly address: string } | { readonly refused: string };

export class ClusterIps {
  readonly #reader: ObjectReader;
  readonly #writer: ObjectWriter;
  readonly #random: Random;
  readonly #ranges: readonly Range[];
  /** Addresses of writes under way, dry runs among them. */
  readonly #pending = new Set<string>();

  constructor(reader: ObjectReader, writer: ObjectWriter, random: Random, ranges: readonly Range[]) {
    this.#reader = reader;
    this.#writer = writer;
    this.#random = random;
    this.#ranges = ranges;
  }

  get families(): readonly Family[] {
    return this.#ranges.map((range) => (range.family === 4 ? "IPv4" : "IPv6"));
  }

  /** Takes the address that a user asked for. */
  async take(text: string, owner: ServiceRef, dryRun: boolean): Promise<Taken> {
    const address = parseAddress(text);
    const range = address === undefined ? undefined : this.#ranges.find((each) => contains(each, address));
    if (address === undefined || range === undefined || !isUsable(range, address)) {
      return { refused: "the provided network does not match the current range" };
    }
    const taken = await this.#reserve(addressText(address), owner, dryRun);
    return taken ? { address: text } : { refused: "provided IP is already allocated" };
  }

  /** Takes any free address of the family; undefined when there is none. The lowest ones are left to those who ask by number (KEP-3070). */
  async takeAny(family: string, owner: ServiceRef, dryRun: boolean): Promise<string | undefined> {
    const range = this.#ranges.find((each) => each.family === (family === "IPv4" ? 4 : 6));
    if (range === undefined) return undefined;
    // which one it would be does not matter: upstream answers the network's own
    if (dryRun) return addressText(addressAt(range, 0n));
    const [first, last] = usable(range);
    const total = last - first + 1n;
    const reserved = staticBand(range.size) - 1n;
    const split = reserved < total ? first + reserved : first;
    for (const [from, to] of [
      [split, last],
      [first, split - 1n],
    ] as const) {
      const found = await this.#takeBetween(range, from, to, owner, dryRun);
      if (found !== undefined) return found;
    }
    return undefined;
  }

  async #takeBetween(range: Range, from: bigint, to: bigint, owner: ServiceRef, dryRun: boolean): Promise<string | undefined> {
    const size = to - from + 1n;
    if (size <= 0n) return undefined;
    // 2^32 places to begin are enough for any range; a range is searched to its end only when it is small enough to fill up.
    const start = BigInt(randomInt(this.#random, Number(size < 0xffff_ffffn ? size : 0xffff_ffffn)));
    for (let step = 0n; step < size; step++) {
      const index = from + ((start + step) % size);
      const text = addressText(addressAt(range, index));
      if (await this.#reserve(text, owner, dryRun)) return text;
    }
    return undefined;
  }

  async #reserve(text: string, owner: ServiceRef, dryRun: boolean): Promise<boolean> {
    if (this.#pending.has(text) || this.#reader.get<IPAddress>(ipAddresses, { name: text }) !== undefined) return false;
    this.#pending.add(text);
    if (dryRun) return true;
    try {
      await this.#writer.create(ipAddresses, ipAddressFor(text, owner));
      return true;
    } catch (error) {
      this.#pending.delete(text);
      // Another API server was faster.
      if (isAlreadyExists(error)) return false;
      throw error;
    }
  }

  /** Ends a write's hold on addresses that stay. */
  settle(addresses: readonly string[]): void {
    for (const text of addresses) this.#pending.delete(text);
  }

  /** Gives addresses back. With `owner`, only those that are that Service's. */
  async release(addresses: readonly string[], owner: ServiceRef): Promise<void> {
    await Promise.all(
      addresses.map(async (text) => {
        const parent = this.#reader.get<IPAddress>(ipAddresses, { name: text })?.spec?.parentRef;
        if (parent?.namespace === owner.namespace && parent.name === owner.name)
          await this.#writer.remove(ipAddresses, { name: text });
        this.#pending.delete(text);
      }),
    );
  }
}

export function ipAddressFor(text: string, owner: ServiceRef): ApiObject {
  return {
    apiVersion: "networking.k8s.io/v1",
    kind: "IPAddress",
    metadata: {
      name: text,
      labels: {
        "ipaddress.kubernetes.io/ip-family": text.includes(":") ? "IPv6" : "IPv4",
        "ipaddress.kubernetes.io/managed-by": "ipallocator.k8s.io",
      },
    },
    spec: { parentRef: { resource: "services", namespace: owner.namespace, name: owner.name } },
  } as ApiObject; // with spec
}

/** First and last index that may be given out: not the network's address, and not IPv4's broadcast. */
function usable(range: Range): readonly [bigint, bigint] {
  return [1n, range.family === 4 ? range.size - 2n : range.size - 1n];
}

function isUsable(range: Range, address: Address): boolean {
  const [first, last] = usable(range);
  const index = address.value - range.first;
  return index >= first && index <= last;
}

/** Addresses at the beginning of a range that are given out by number first: min(max(16, size / 16), 256), and 0 for tiny ranges. */
function staticBand(size: bigint): bigint {
  if (size <= 16n) return 1n;
  const sixteenth = size / 16n;
  const band = sixteenth < 16n ? 16n : sixteenth;
  return band > 256n ? 256n : band;
}
