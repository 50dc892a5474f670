// What `nft --json list table` says is in a table of ours: names, no rules and no elements.
import type { Table } from "./items.ts";
import type { FoundTable } from "./render.ts";

/** Arguments for nft. `--terse` leaves out the elements; the command fails where there is no table. */
export const listing = (table: Table): readonly string[] => ["--json", "--terse", "list", "table", ...table.name.split(" ")];

/** Undefined for what is not nft's JSON (libnftables-json(5)). */
export function parseListing(output: string): FoundTable | undefined {
  try {
    const { nftables } = JSON.parse(output) as {
      readonly nftables: readonly Readonly<Record<string, { readonly name: string }>>[];
    };
    return {
      chains: nftables.flatMap(({ chain }) => chain?.name ?? []),
      collections: nftables.flatMap(({ set, map }) =>
        set !== undefined ? { kind: "set", name: set.name } : map !== undefined ? { kind: "map", name: map.name } : [],
      ),
    };
  } catch {
    return undefined;
  }
}
