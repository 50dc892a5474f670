// Node ports in use, and which is free: kept from the Services that exist, plus those of writes under way.
import { type Service, type Stored, services } from "#api";
import { type Random, randomInt } from "#base";
import type { ObjectReader } from "../../contract.ts";

/** Upstream's words for a port that cannot be had. */
export type PortRefusal =
  | "provided port is already allocated"
  | `provided port is not in the valid range. The range of valid ports is ${string}`;

export class NodePorts implements Disposable {
  readonly #first: number;
  readonly #last: number;
  readonly #random: Random;
  readonly #subscription: Disposable;
  /** Port -> how many Services hold it (one, but for the moment between two versions of a Service). */
  readonly #used = new Map<number, number>();
  readonly #byService = new Map<string, readonly number[]>();
  readonly #pending = new Set<number>();

  constructor(reader: ObjectReader, random: Random, [first, last]: readonly [number, number]) {
    this.#first = first;
    this.#last = last;
    this.#random = random;
    for (const service of reader.list<Service>(services)) this.#set(service, portsOf(service));
    this.#subscription = reader.onChange(services, (object, event) => {
      const service = object as Stored<Service>; // the type asked for
      this.#set(service, event === "DELETED" ? [] : portsOf(service));
    });
  }

  /** Takes this port for a write under way, or says why not. */
  take(port: number): PortRefusal | undefined {
    if (port < this.#first || port > this.#last) {
      return `provided port is not in the valid range. The range of valid ports is ${this.#first}-${this.#last}`;
    }
    if (!this.#isFree(port)) return "provided port is already allocated";
    this.#pending.add(port);
    return undefined;
  }

  /** Takes any free port; undefined when there is none. Begins at a random one, so that a port just given back rests for a while. */
  takeAny(): number | undefined {
    const size = this.#last - this.#first + 1;
    const start = randomInt(this.#random, size);
    for (let step = 0; step < size; step++) {
      const port = this.#first + ((start + step) % size);
      if (!this.#isFree(port)) continue;
      this.#pending.add(port);
      return port;
    }
    return undefined;
  }

  /** The write is over: what it has stored is counted from the Service itself. */
  settle(ports: Iterable<number>): void {
    for (const port of ports) this.#pending.delete(port);
  }

  [Symbol.dispose](): void {
    this.#subscription[Symbol.dispose]();
  }

  #isFree(port: number): boolean {
    return !this.#pending.has(port) && !this.#used.has(port);
  }

  #set(service: Stored<Service>, ports: readonly number[]): void {
    const key = `${service.metadata.namespace}/${service.metadata.name}`;
    for (const port of this.#byService.get(key) ?? []) {
      const left = (this.#used.get(port) ?? 1) - 1;
      if (left === 0) this.#used.delete(port);
      else this.#used.set(port, left);
    }
    if (ports.length === 0) this.#byService.delete(key);
    else this.#byService.set(key, ports);
    for (const port of ports) this.#used.set(port, (this.#used.get(port) ?? 0) + 1);
  }
}

/** Every port that the Service holds on nodes, each once. An ExternalName holds none, whatever it says. */
export function portsOf({ spec }: Service): readonly number[] {
  if (spec === undefined || spec.type === "ExternalName") return [];
  const ports = (spec.ports ?? []).map((port) => port.nodePort ?? 0);
  return [...new Set([...ports, spec.healthCheckNodePort ?? 0])].filter((port) => port > 0);
}
