// Who claims which item of the table: keeps the union of all services' rules, and what changed in it since it was last asked.
import type { Item, ItemChange, ServiceRules, TableContent } from "./model.ts";

interface Claim {
  readonly rank: string;
  readonly item: Item;
}

/** Costs of a change are those of the services in it, whatever the size of the table. */
export class ItemLedger {
  readonly #services = new Map<string, ServiceRules>();
  /** By item; the lowest rank wins. Nearly always one claim, so an array. */
  readonly #claims = new Map<string, Claim[]>();
  readonly #changed = new Map<string, Item | undefined>();

  get(service: string): ServiceRules | undefined {
    return this.#services.get(service);
  }

  /** Sets, replaces or (undefined) removes what a service contributes. */
  put(service: string, rules: ServiceRules | undefined): void {
    const before = this.#services.get(service);
    if (rules === undefined) this.#services.delete(service);
    else this.#services.set(service, rules);
    const sameRank = before?.rank === rules?.rank;
    for (const [id, item] of before?.items ?? []) {
      if (!sameRank || rules?.items.get(id)?.value !== item.value) this.#claim(id, before?.rank ?? "", undefined);
    }
    for (const [id, item] of rules?.items ?? []) {
      if (!sameRank || before?.items.get(id)?.value !== item.value) this.#claim(id, rules?.rank ?? "", item);
    }
  }

  /** What is to be done to a table that was right when this was last called. */
  takeChanges(): ItemChange[] {
    const changes: ItemChange[] = [];
    for (const [id, before] of this.#changed) {
      const after = this.#claims.get(id)?.[0]?.item;
      if (before?.value !== after?.value || (before === undefined) !== (after === undefined)) changes.push({ before, after });
    }
    this.#changed.clear();
    return changes;
  }

  content(): TableContent {
    const content = new Map<string, Item>();
    for (const [id, [first]] of this.#claims) if (first !== undefined) content.set(id, first.item);
    return content;
  }

  #claim(id: string, rank: string, item: Item | undefined): void {
    const claims = this.#claims.get(id) ?? [];
    if (!this.#changed.has(id)) this.#changed.set(id, claims[0]?.item);
    const others = claims.filter((claim) => claim.rank !== rank);
    if (item !== undefined) others.push({ rank, item });
    if (others.length > 1) others.sort((a, b) => (a.rank < b.rank ? -1 : 1));
    if (others.length === 0) this.#claims.delete(id);
    else this.#claims.set(id, others);
  }
}
