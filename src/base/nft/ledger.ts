// Who claims which item of a table: keeps the union of what all owners contribute, and what changed in it since it was last asked.
import type { Contribution, Item, ItemChange, TableContent } from "./items.ts";

interface Claim {
  readonly rank: string;
  readonly item: Item;
}

/** Nearly every item has one claim, a few chains have thousands. */
type Claims = Claim | Map<string, Claim>;

/** What a change costs depends on the owners in it, not on the size of the table. */
export class ItemLedger<C extends Contribution> {
  readonly #owners = new Map<string, C>();
  readonly #claims = new Map<string, Claims>();
  /** What each item was when changes were last taken, for those touched since. */
  readonly #touched = new Map<string, Item | undefined>();

  get isEmpty(): boolean {
    return this.#claims.size === 0;
  }

  get(owner: string): C | undefined {
    return this.#owners.get(owner);
  }

  /** Sets, replaces or (undefined) removes what an owner contributes. */
  put(owner: string, after: C | undefined): void {
    const before = this.#owners.get(owner);
    if (after === undefined) this.#owners.delete(owner);
    else this.#owners.set(owner, after);
    const sameRank = before?.rank === after?.rank;
    const stays = (id: string): boolean => sameRank && before?.items.get(id)?.value === after?.items.get(id)?.value;
    if (before !== undefined) for (const id of before.items.keys()) if (!stays(id)) this.#withdraw(id, before.rank);
    if (after !== undefined) for (const [id, item] of after.items) if (!stays(id)) this.#claim(id, { rank: after.rank, item });
  }

  /** What is to be done to a table that was right when this was last called. */
  takeChanges(): ItemChange[] {
    const changes: ItemChange[] = [];
    for (const [id, before] of this.#touched) {
      const after = winner(this.#claims.get(id));
      if (before?.value !== after?.value) changes.push({ before, after });
    }
    this.#touched.clear();
    return changes;
  }

  content(): TableContent {
    const content = new Map<string, Item>();
    for (const [id, claims] of this.#claims) content.set(id, winner(claims) as Item); // nobody's items are not kept
    return content;
  }

  #claim(id: string, claim: Claim): void {
    const claims = this.#claims.get(id);
    this.#touch(id, claims);
    if (claims === undefined) this.#claims.set(id, claim);
    else if (claims instanceof Map) claims.set(claim.rank, claim);
    else
      this.#claims.set(
        id,
        new Map([
          [claims.rank, claims],
          [claim.rank, claim],
        ]),
      );
  }

  #withdraw(id: string, rank: string): void {
    const claims = this.#claims.get(id);
    this.#touch(id, claims);
    if (claims instanceof Map) claims.delete(rank);
    if (!(claims instanceof Map) || claims.size === 0) this.#claims.delete(id);
  }

  #touch(id: string, claims: Claims | undefined): void {
    if (!this.#touched.has(id)) this.#touched.set(id, winner(claims));
  }
}

/** The lowest rank's. All claims of a shared chain or set say the same, so that looking through them is for conflicts only. */
function winner(claims: Claims | undefined): Item | undefined {
  if (!(claims instanceof Map)) return claims?.item;
  let best: Claim | undefined;
  for (const claim of claims.values()) {
    if (claim.item.kind !== "element") return claim.item;
    if (best === undefined || claim.rank < best.rank) best = claim;
  }
  return best?.item;
}
