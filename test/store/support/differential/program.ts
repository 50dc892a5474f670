// Random programs over everything that etcd's API serves: one seed, one sequence of requests, given what the answers so far have been.
import { type Random, randomInt, seededRandom } from "#base";
import type { Message } from "./wire-client.ts";

export type Step =
  | { readonly kind: "call"; readonly method: string; readonly request: Message }
  | { readonly kind: "keepAlive"; readonly id: number }
  | { readonly kind: "watch"; readonly request: Message }
  | { readonly kind: "cancel"; readonly watch: number };

/** What a program may go by. */
export interface Situation {
  readonly revision: number;
  readonly compacted: number;
}

/** Few enough that Go's sort, which is not stable in general, is: equal versions and revisions keep the order of the keys. */
const keys = ["a", "aa", "ab", "b", "b\xff", "c", "d/1", "d/2", "e\0"];
const leases = [1, 2, 3, 2n ** 62n, -5];
const ends = ["aa", "b", "c", "e", "a", "\0"];
const watches = [1, 2, 3, 4];
const unknownWatch = 9;

export class Program {
  readonly #random: Random;
  /** etcd 3.4 panics when a put with ignore_value or ignore_lease meets the deletion of its key before it in a transaction: one or the other. */
  readonly #ignoring: boolean;
  #doomed = 1_000;

  constructor(seed: number) {
    this.#random = seededRandom(seed);
    this.#ignoring = seed % 2 === 0;
  }

  step(now: Situation): Step {
    const dice = this.#below(100);
    if (dice < 34) return call("KV.Txn", this.#transaction(now, 0));
    if (dice < 48) return call("KV.Put", this.#put());
    if (dice < 55) return call("KV.DeleteRange", this.#delete());
    if (dice < 77) return call("KV.Range", this.#lonely(this.#range(now)));
    if (dice < 80) return call("KV.Compact", { revision: Math.max(1, this.#revision(now, 30)), physical: this.#chance(0.3) });
    if (dice < 84) return call("Lease.LeaseGrant", { TTL: this.#pick([100, 200, 1_000, 9_000_000_001]), ID: this.#pick(leases) });
    if (dice < 86) return call("Lease.LeaseRevoke", { ID: this.#pick([...leases, 9, 0]) });
    if (dice < 89) return call("Lease.LeaseTimeToLive", { ID: this.#pick([...leases, 9]), keys: this.#chance(0.7) });
    if (dice < 90) return call("Lease.LeaseLeases", {});
    if (dice < 91) return { kind: "keepAlive", id: this.#pick([1, 2, 3, 9]) };
    if (dice < 97) return { kind: "watch", request: this.#watch(now) };
    return { kind: "cancel", watch: this.#pick([...watches, unknownWatch]) };
  }

  #below(n: number): number {
    return randomInt(this.#random, n);
  }

  #chance(share: number): boolean {
    return this.#random.float() < share;
  }

  #pick<T>(list: readonly T[]): T {
    return list[this.#below(list.length)] as T; // not empty
  }

  #key(): Buffer {
    return this.#chance(0.01) ? Buffer.alloc(0) : Buffer.from(this.#pick(keys), "latin1");
  }

  #end(from: readonly string[] = ends): Message {
    return this.#chance(0.5) ? {} : { range_end: Buffer.from(this.#pick(from), "latin1") };
  }

  /** Near the present, rarely ahead of it, sometimes compacted. */
  #revision({ revision }: Situation, back: number): number {
    return Math.max(0, revision + 2 - this.#below(back));
  }

  #range(now: Situation): Message {
    const request: Record<string, unknown> = { key: this.#key(), ...this.#end() };
    if (this.#chance(0.3)) request["revision"] = this.#revision(now, 40);
    if (this.#chance(0.3)) request["limit"] = this.#below(6) - 1;
    if (this.#chance(0.2)) request["keys_only"] = true;
    if (this.#chance(0.1)) request["count_only"] = true;
    if (this.#chance(0.2)) request["serializable"] = true;
    // Without an order, etcd sorts by another target than the key only the first keys that the limit lets through.
    if (this.#chance(0.4)) request["sort_order"] = this.#pick(["NONE", "ASCEND", "DESCEND"]);
    const ordered = request["limit"] === undefined || /CEND/.test(String(request["sort_order"]));
    if (ordered && this.#chance(0.4)) request["sort_target"] = this.#pick(["KEY", "VERSION", "CREATE", "MOD", "VALUE"]);
    for (const bound of ["min_mod_revision", "max_mod_revision", "min_create_revision", "max_create_revision"]) {
      if (this.#chance(0.08)) request[bound] = this.#revision(now, 20);
    }
    return request;
  }

  /** A negative revision means the latest; in a transaction it depends on whether etcd was ever compacted. */
  #lonely(range: Message): Message {
    return this.#chance(0.03) ? { ...range, revision: -1 } : range;
  }

  #put(): Message {
    const ignoreValue = this.#ignoring && this.#chance(0.1);
    const ignoreLease = this.#ignoring && this.#chance(0.1);
    const request: Record<string, unknown> = { key: this.#key(), value: this.#value(ignoreValue ? 0.05 : 1) };
    if (this.#chance(ignoreLease ? 0.05 : 0.3)) request["lease"] = this.#pick(leases);
    if (this.#chance(0.3)) request["prev_kv"] = true;
    if (ignoreValue) request["ignore_value"] = true;
    if (ignoreLease) request["ignore_lease"] = true;
    return request;
  }

  #value(share: number): Buffer {
    return this.#chance(share) ? Buffer.from(this.#pick(["0", "1", "2", "10", "", "\0x"])) : Buffer.alloc(0);
  }

  #delete(): Message {
    const request = { key: this.#key(), ...this.#end(this.#ignoring ? ["aa", "b", "c", "e", "a"] : ends) };
    return this.#chance(0.4) ? { ...request, prev_kv: true } : request;
  }

  #compare(now: Situation): Message {
    const target = this.#pick(["VERSION", "CREATE", "MOD", "VALUE", "LEASE"]);
    const common = {
      result: this.#pick(["EQUAL", "GREATER", "LESS", "NOT_EQUAL"]),
      target,
      key: this.#key(),
      ...(this.#chance(0.3) ? this.#end() : {}),
    };
    if (this.#chance(0.03)) return common; // without the value to compare with
    switch (target) {
      case "VERSION":
        return { ...common, version: this.#below(5) };
      case "VALUE":
        return { ...common, value: this.#value(1) };
      case "LEASE":
        return { ...common, lease: this.#pick([0, ...leases]) };
      default:
        return {
          ...common,
          [target === "MOD" ? "mod_revision" : "create_revision"]: this.#chance(0.2) ? 0 : this.#revision(now, 20),
        };
    }
  }

  #operations(now: Situation, depth: number): Message[] {
    const many = depth === 0 && this.#chance(0.003);
    return Array.from({ length: many ? 129 : this.#below(depth === 0 ? 4 : 3) }, (): Message => {
      const dice = this.#below(depth < 2 ? 100 : 90);
      if (dice < 40) return { request_put: this.#put() };
      if (dice < 58) return { request_delete_range: this.#delete() };
      if (dice < 90) return { request_range: this.#range(now) };
      return { request_txn: this.#transaction(now, depth + 1) };
    });
  }

  #transaction(now: Situation, depth: number): Message {
    return {
      compare: Array.from({ length: this.#below(3) }, () => this.#compare(now)),
      success: this.#operations(now, depth),
      failure: this.#operations(now, depth),
    };
  }

  #watch(now: Situation): Message {
    const wanted = this.#chance(0.5) ? 0 : this.#revision(now, 40);
    // etcd before 3.5.18 forgets a deletion at the compacted revision itself (etcd-io/etcd#19179).
    const start = wanted === now.compacted ? 0 : wanted;
    // etcd holds the id of a watch that compaction has ended taken until the client cancels it once more: such ids are not used again.
    const doomed = start > 0 && start < now.compacted;
    return {
      key: this.#key(),
      ...this.#end(),
      start_revision: start,
      prev_kv: this.#chance(0.5),
      filters: this.#chance(0.7) ? [] : [this.#pick(["NOPUT", "NODELETE"])],
      watch_id: doomed ? ++this.#doomed : this.#pick(watches),
      progress_notify: this.#chance(0.2),
      fragment: this.#chance(0.2),
    };
  }
}

const call = (method: string, request: Message): Step => ({ kind: "call", method, request });
