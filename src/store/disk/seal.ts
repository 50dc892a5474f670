// Leases and facts change in place, each by itself; their count and checksums, kept among the facts, tell when one is damaged or gone.
import type { DatabaseSync, StatementSync } from "node:sqlite";
import { crc32 } from "node:zlib";
import { Corrupt } from "./corrupt.ts";
import type { LeaseChange, Loaded } from "./protocol.ts";
import { emptyTally, type Tally, tallyAdd, tallyRemove } from "./tally.ts";

/** The fact that is the checksum over all others. */
const seal = "seal";

type Grants = Loaded["leases"];

/** The tables `leases` and `facts`. Call the writing methods inside a transaction, and `restore` when it was rolled back. */
export class SealedTables {
  readonly #grant: StatementSync;
  readonly #revoke: StatementSync;
  readonly #fact: StatementSync;
  #facts: ReadonlyMap<string, number>;
  #leases: Tally;

  private constructor(database: DatabaseSync, grants: Grants) {
    this.#grant = database.prepare("INSERT INTO leases VALUES(?,?)");
    this.#revoke = database.prepare("DELETE FROM leases WHERE id=? RETURNING ttl");
    this.#fact = database.prepare("INSERT INTO facts VALUES(?,?) ON CONFLICT DO UPDATE SET value=excluded.value");
    const facts = database.prepare("SELECT name, value FROM facts").all();
    this.#facts = new Map(facts.map(({ name, value }) => [String(name), Number(value)]));
    this.#leases = emptyTally();
    for (const { id, ttlSeconds } of grants) tallyAdd(this.#leases, crcOfGrant(id, ttlSeconds));
  }

  /** Throws Corrupt when something is not as it was written. */
  static read(database: DatabaseSync): { readonly tables: SealedTables; readonly grants: Grants } {
    const grants = readGrants(database);
    const tables = new SealedTables(database, grants);
    if (tables.fact(seal) !== crcOfFacts(tables.#facts)) throw new Corrupt("the checksum over the facts does not match");
    const { count, digest } = tables.#leases;
    const written = tables.fact("leaseCount");
    if (count !== written) throw new Corrupt(`${written} leases were written and ${count} are left`);
    if (digest !== tables.fact("leaseDigest")) throw new Corrupt("the checksum over the leases does not match");
    return { tables, grants };
  }

  /** Seals what is there, whoever wrote it: the end of an upgrade or an import. */
  static seal(database: DatabaseSync): void {
    new SealedTables(database, readGrants(database)).#writeLeases();
  }

  fact(name: string): number {
    return this.#facts.get(name) ?? 0;
  }

  setFacts(changes: Readonly<Record<string, number>>): void {
    const facts = new Map(this.#facts);
    for (const [name, value] of Object.entries(changes)) facts.set(name, value);
    facts.set(seal, crcOfFacts(facts));
    for (const [name, value] of facts) if (value !== this.#facts.get(name)) this.#fact.run(name, value);
    this.#facts = facts;
  }

  changeLeases(changes: readonly LeaseChange[]): void {
    if (changes.length === 0) return;
    this.#leases = { ...this.#leases };
    for (const { id, ttlSeconds } of changes) {
      if (ttlSeconds === undefined) {
        const revoked = this.#revoke.get(id);
        if (revoked !== undefined) tallyRemove(this.#leases, crcOfGrant(id, Number(revoked["ttl"])));
      } else {
        this.#grant.run(id, ttlSeconds);
        tallyAdd(this.#leases, crcOfGrant(id, ttlSeconds));
      }
    }
    this.#writeLeases();
  }

  /** Remembers how things stand, for `restore`. */
  mark(): () => void {
    const [facts, leases] = [this.#facts, this.#leases];
    return () => {
      this.#facts = facts;
      this.#leases = leases;
    };
  }

  #writeLeases(): void {
    this.setFacts({ leaseCount: this.#leases.count, leaseDigest: this.#leases.digest });
  }
}

const crcOfGrant = (id: bigint, ttlSeconds: number): number => crc32(`${id} ${ttlSeconds}`);

function crcOfFacts(facts: ReadonlyMap<string, number>): number {
  const lines = [...facts].filter(([name]) => name !== seal).map(([name, value]) => `${name} ${value}`);
  return crc32(lines.sort().join("\n"));
}

function readGrants(database: DatabaseSync): Grants {
  const leases = database.prepare("SELECT id, ttl FROM leases");
  leases.setReadBigInts(true);
  return leases.all().map(({ id, ttl }) => ({ id: BigInt(id as bigint), ttlSeconds: Number(ttl) }));
}
