// Addresses of a pod range, handed out in turn and taken back.

/** IPv4 only. The network, gateway (.1) and broadcast addresses are left out. */
export class AddressPool {
  readonly #first: number;
  readonly #size: number;
  readonly #taken = new Set<number>();
  #next = 0;

  constructor(cidr: string) {
    const [address = "", bits = "24"] = cidr.split("/");
    const base = address.split(".").reduce((sum, part) => sum * 256 + Number(part), 0);
    this.#size = 2 ** (32 - Number(bits)) - 3;
    this.#first = base + 2;
    if (!Number.isInteger(base) || this.#size < 1)
      throw new Error(`Cannot give out addresses of "${cidr}": not an IPv4 range of at least 4 addresses`);
  }

  take(): string {
    for (let tried = 0; tried < this.#size; tried++) {
      const offset = this.#next;
      this.#next = (this.#next + 1) % this.#size;
      if (this.#taken.has(offset)) continue;
      this.#taken.add(offset);
      return text(this.#first + offset);
    }
    throw new Error("no IP addresses available in the node's pod range");
  }

  giveBack(address: string): void {
    this.#taken.delete(address.split(".").reduce((sum, part) => sum * 256 + Number(part), 0) - this.#first);
  }
}

const text = (value: number): string => [24, 16, 8, 0].map((shift) => Math.floor(value / 2 ** shift) % 256).join(".");
