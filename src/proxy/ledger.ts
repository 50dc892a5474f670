// Who claims which item of the table: keeps the union of all services' rules, and what changed in it since it was last asked.
import type { Item, ItemChange, ServiceRules, TableContent } from "./model.ts";

interface Claim {
  readonly rank: string;
  readonly item: Item;
}

/** Nearly every item has one claim, a few chains have thousands. */
type Claims = Claim | Map<string, Claim>;

/** What a change costs depends on the services in it, not on the size of the table. */
export class ItemLedger {
  readonly #services = new Map<string, ServiceRules>();
  readonly #claims = new Map<string, Claims>();
  /** What each item was when changes were last taken, for those touched since. */
  readonly #touched = new Map<string, Item | undefined>();

  get(service: string): ServiceRules | undefined {
    return this.#services.get(service);
  }

  /** Sets, replaces or (undefined) removes what a service contributes. */
  put(service: string, rules: ServiceRules | undefined): void {
    const before = this.#services.get(service);
    if (rules === undefined) this.#services.delete(service);
    else this.#services.set(service, rules);
    const sameRank = before?.rank === rules?.rank;
    const stays = (id: string): boolean => sameRank && before?.items.get(id)?.value === rules?.items.get(id)?.value;
    if (before !== undefined) for (const id of before.items.keys()) if (!stays(id)) this.#withdraw(id, before.rank);
    if (rules !== undefined) for (const [id, item] of rules.items) if (!stays(id)) this.#claim(id, { rank: rules.rank, item });
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

/** The lowest rank's. All claims of a shared chain say the same, so that looking through them is for conflicts only. */
function winner(claims: Claims | undefined): Item | undefined {
  if (!(claims instanceof Map)) return claims?.item;
  let best: Claim | undefined;
  for (const claim of claims.values()) {
    if (claim.item.kind === "chain") return claim.item;
    if (best === undefined || claim.rank < best.rank) best = claim;
  }
  return best?.item;
}
