// What stands in our nftables table, as data: maps and sets with their elements, chains with their rules.

export interface Collection {
  readonly kind: "map" | "set";
  /** What stands between the braces of its declaration. */
  readonly declaration: string;
  /** Value by key as nft writes both; the value of a set's element is "". */
  readonly elements: Map<string, string>;
}

export interface Chain {
  /** Of a base chain: "type nat hook prerouting priority dstnat". */
  readonly hook?: string;
  readonly rules: readonly string[];
}

export interface RuleSet {
  readonly collections: Map<string, Collection>;
  readonly chains: Map<string, Chain>;
}

/** Upstream's name, so that who knows kube-proxy finds it. */
export const table = "ip kube-proxy";
