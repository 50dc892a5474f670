// What a table of ours in the kernel holds, as data: a constant frame and items that come and go.

export interface Table {
  /** With its family: "ip kube-proxy". */
  readonly name: string;
  /** Sets, maps and chains that are always there, as nft reads them inside the table's braces. One of them is a chain `probe` without rules. */
  readonly frame: string;
}

/**
 * - `element`: `name` is a set or map, `key` an element of it, the value the data ("" in a set)
 * - `chain`: `name` is the chain, `key` is "", the value its rules, one a line
 * - `set`: `name` is the set, `key` is "", the value its declaration, which never changes. One with `flags dynamic` is filled by packets
 */
export interface Item {
  readonly kind: "element" | "chain" | "set";
  readonly name: string;
  readonly key: string;
  readonly value: string;
}

export const itemId = (item: Pick<Item, "kind" | "name" | "key">): string => `${item.kind} ${item.name} ${item.key}`;

/** Everything beside the frame, by `itemId`. */
export type TableContent = ReadonlyMap<string, Item>;

export interface ItemChange {
  readonly before: Item | undefined;
  readonly after: Item | undefined;
}

/** What one of many owners has in a table. Chains and sets of the same name are shared: all say the same of them. */
export interface Contribution {
  /** No two owners have the same. Where two claim one element the lower rank has it. */
  readonly rank: string;
  readonly items: TableContent;
}
