// What a directory must hold after the processes that wrote to it died: from what they said, line by line, before they did.
import assert from "node:assert/strict";
import type { Store } from "#store";
import { type Acknowledged, Replay, type WriteName } from "./replay.ts";

/** What the dead said, of one kind: the numbers behind the word. */
const said = (lines: readonly string[], word: string): string[] =>
  lines.filter((line) => line.startsWith(`${word} `)).map((line) => line.slice(word.length + 1));

export const writesIn = (lines: readonly string[], cycle: number): Acknowledged[] =>
  said(lines, "wrote").map((line) => {
    const [revision = 0, writer = 0, n = 0] = line.split(" ").map(Number);
    return { cycle, writer, n, revision };
  });

/** The answers after which a write is surely not there; after "unknownOutcome" it may be. */
const definite = ["noSpace", "readOnly"];

const refusalsIn = (lines: readonly string[], cycle: number): WriteName[] =>
  said(lines, "refused")
    .map((line) => line.split(" "))
    .filter(([, , code = ""]) => definite.includes(code))
    .map(([writer, n]) => ({ cycle, writer: Number(writer), n: Number(n) }));

/** What a directory must hold, over all its runs. */
export class Expectation {
  readonly replay = new Replay();
  readonly #leases = new Set<bigint>();
  #acknowledged: Acknowledged[] = [];
  #later: Acknowledged[] = [];
  #refused: WriteName[] = [];
  #lines: string[] = [];
  #compacted = 0;
  total = 0;

  /** `later`: said after the moment that the store was taken back to; it may be there or not. */
  heard(cycle: number, lines: readonly string[], later: readonly string[] = []): void {
    this.#acknowledged.push(...writesIn(lines, cycle));
    this.#later.push(...writesIn(later, cycle));
    this.#refused.push(...refusalsIn(lines, cycle));
    // Of what was said later, what it says of things under way before.
    this.#lines.push(...lines, ...later.filter((line) => line.startsWith("revoking ") || line.startsWith("compacting ")));
  }

  /** Everything heard since the last time. */
  async check(store: Store): Promise<void> {
    await this.replay.follow(store, { acknowledged: this.#acknowledged, later: this.#later, refused: this.#refused });
    for (const revision of said(this.#lines, "seen"))
      assert.ok(
        Number(revision) <= store.revision,
        `a watch was told of revision ${revision}, the store is at ${store.revision}`,
      );
    const { compactedRevision } = await store.status();
    const compacted = Math.max(this.#compacted, ...said(this.#lines, "compacted").map(Number));
    const attempted = [compacted, ...said(this.#lines, "compacting").map(Number)];
    assert.ok(compactedRevision >= compacted && attempted.includes(compactedRevision), `compacted to ${compactedRevision}`);
    this.#compacted = compactedRevision;
    await this.#checkLeases(store);
    this.total += this.#acknowledged.length;
    this.#acknowledged = [];
    this.#later = [];
    this.#refused = [];
    this.#lines = [];
  }

  async #checkLeases(store: Store): Promise<void> {
    const found = new Set(await store.leases());
    const ids = (word: string): bigint[] => said(this.#lines, word).map(BigInt);
    for (const id of ids("granted")) this.#leases.add(id);
    for (const id of ids("revoking")) this.#leases.delete(id);
    for (const id of this.#leases) assert.ok(found.has(id), `lost lease ${id}`);
    for (const id of ids("revoked")) assert.ok(!found.has(id), `lease ${id} is back`);
    // Those whose grant or revocation was on its way.
    for (const id of found) this.#leases.add(id);
  }
}
