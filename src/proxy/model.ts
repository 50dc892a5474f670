// What the kernel's table holds, as data: a constant frame (frame.ts) and items that come and go with services.

/**
 * One item of table `ip kube-proxy`.
 * - `element`: `name` is a set or map of the frame, `key` an element of it, the value the data ("" in a set)
 * - `chain`: `name` is the chain, `key` is "", the value its rules, one a line
 * - `set`: `name` is the set, `key` is "", the value its declaration
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

/** Where clients of a service port knock: an address of the service, or a node port on every address of the node. */
export interface Frontend {
  readonly kind: "cluster-ip" | "external-ip" | "node-port";
  /** "" for a node port. */
  readonly address: string;
  readonly port: number;
}

/** What conntrack may still hold of a UDP service port after a change. */
export interface Flows {
  readonly frontends: readonly Frontend[];
  /** Addresses of endpoints, of all policies. */
  readonly endpoints: ReadonlySet<string>;
}

/** What one service contributes. */
export interface ServiceRules {
  /** Older services win where two claim the same address and port: creation time, then key. */
  readonly rank: string;
  readonly items: TableContent;
  /** Which endpoint sits in which slot, by service port and policy: handed to the next plan, so that few slots change. */
  readonly slots: ReadonlyMap<string, readonly string[]>;
  readonly flows: ReadonlyMap<string, Flows>;
  /** Where load balancers ask whether this node has endpoints: with externalTrafficPolicy Local. */
  readonly health?: { readonly port: number; readonly localEndpoints: number };
}

/** What a plan must know of the node. */
export interface NodeView {
  readonly name: string;
  readonly ips: readonly string[];
  /** IPv4 ranges of pods; empty: unknown, and nothing is told apart by its source. */
  readonly clusterCidrs: readonly string[];
  /** Of topology hints. */
  readonly zone?: string;
}
