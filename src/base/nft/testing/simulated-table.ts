// For unit tests only: a table that understands the scripts for nft.
import { assert } from "../../assert.ts";

/** As strict as the kernel: nothing may be added twice, removed without being there, or refer to what is not there. */
export class SimulatedTable {
  readonly collections = new Map<string, Map<string, string>>();
  readonly chains = new Map<string, string[]>();

  /** One transaction: references are checked when all of it is done. */
  run(script: string): void {
    const lines = script.split("\n").filter((line) => line.trim() !== "");
    for (let line = lines.shift(); line !== undefined; line = lines.shift()) {
      if (line.startsWith("table ")) this.#block(lines);
      else this.#command(line);
    }
    this.#checkReferences();
  }

  /** As `nft --json --terse list table` lists it. */
  listing(): string {
    const named = (kind: string, names: Iterable<string>): unknown[] => Array.from(names, (name) => ({ [kind]: { name } }));
    return JSON.stringify({
      nftables: [{ metainfo: {} }, ...named("chain", this.chains.keys()), ...named("set", this.collections.keys())],
    });
  }

  /** Comparable, whatever the order in which things came. */
  snapshot(): unknown {
    const sorted = <T>(entries: Iterable<readonly [string, T]>): (readonly [string, T])[] =>
      [...entries].sort(([a], [b]) => (a < b ? -1 : 1));
    return {
      chains: sorted(this.chains),
      collections: sorted(this.collections).map(([name, elements]) => [name, sorted(elements)]),
    };
  }

  #command(line: string): void {
    const [, verb = "", kind = "", name = "", rest = ""] = /^(\w+) (\w+) ip [a-z-]+ ?(\S*) ?(.*)$/.exec(line) ?? [];
    switch (`${verb} ${kind}`) {
      case "add table":
        return;
      case "delete table":
        this.collections.clear();
        this.chains.clear();
        return;
      case "flush table":
        for (const rules of this.chains.values()) rules.length = 0;
        return;
      case "flush set":
      case "flush map":
        this.#existing(this.collections, name).clear();
        return;
      case "add set":
        this.#new(this.collections, name, new Map());
        return;
      case "delete set":
      case "delete map":
        this.#gone(this.collections, name);
        return;
      case "add chain":
        this.#new(this.chains, name, []);
        return;
      case "flush chain":
        this.#existing(this.chains, name).length = 0;
        return;
      case "delete chain":
        assert(this.#existing(this.chains, name).length === 0, `chain ${name} has rules`);
        this.#gone(this.chains, name);
        return;
      case "add rule":
        this.#existing(this.chains, name).push(rest);
        return;
      case "add element":
        for (const [key, value] of elementsOf(rest)) this.#new(this.#existing(this.collections, name), key, value);
        return;
      case "delete element":
        for (const [key] of elementsOf(rest)) this.#gone(this.#existing(this.collections, name), key);
        return;
      default:
        throw new Error(`not understood: ${line}`);
    }
  }

  #block(lines: string[]): void {
    let rules: string[] | undefined;
    for (let line = lines.shift()?.trim(); line !== "}" || rules !== undefined; line = lines.shift()?.trim()) {
      assert(line !== undefined, "the table ends");
      const [, kind, name = ""] = /^(set|map|chain) (\S+) \{/.exec(line) ?? [];
      if (line === "}") rules = undefined;
      else if (kind === "chain") {
        rules = this.chains.get(name) ?? [];
        this.chains.set(name, rules);
      } else if (kind !== undefined) this.collections.set(name, this.collections.get(name) ?? new Map());
      else rules?.push(line);
    }
  }

  #new<T>(map: Map<string, T>, key: string, value: T): void {
    assert(!map.has(key), `"${key}" is there already`);
    map.set(key, value);
  }

  #gone(map: Map<string, unknown>, key: string): void {
    assert(map.delete(key), `"${key}" is not there`);
  }

  #existing<T>(map: Map<string, T>, key: string): T {
    const value = map.get(key);
    assert(value !== undefined, `"${key}" is not there`);
    return value;
  }

  #checkReferences(): void {
    const texts = [...this.chains.values()]
      .flat()
      .concat([...this.collections.values()].flatMap((elements) => [...elements.values()]));
    for (const text of texts) {
      for (const [, name = ""] of text.matchAll(/(?:goto|jump) (\S+)/g))
        assert(this.chains.has(name), `"${text}": no such chain`);
      for (const [, name = ""] of text.matchAll(/@(\S+)/g)) assert(this.collections.has(name), `"${text}": no such set`);
    }
  }
}

function elementsOf(braces: string): [string, string][] {
  return braces
    .slice(2, -2)
    .split(", ")
    .map((text) => text.split(" : ") as [string, string?])
    .map(([key, value = ""]) => [key, value]);
}
