// The store under test with short words around it: text keys, revisions counted from where the test began.
import assert from "node:assert/strict";
import {
  type Compare,
  type KeyValue,
  type Operation,
  prefixEnd,
  type RangeOptions,
  type RangeResult,
  type Revision,
  type Store,
  StoreError,
  type StoreErrorCode,
  type StoreEvent,
  type TransactionResult,
  type WatchRequest,
} from "../../store.ts";
import type { ContractTarget } from "../contract.ts";
import { Recorder } from "../recorder.ts";

export interface ContractCase {
  readonly name: string;
  readonly run: (s: Subject) => Promise<void>;
}

export const bytes = (text: string): Buffer => Buffer.from(text);

export const put = (key: string, value: string, more: object = {}): Operation => ({
  kind: "put",
  key,
  value: bytes(value),
  ...more,
});
export const del = (key: string, end?: string, previous?: boolean): Operation => ({
  kind: "delete",
  key,
  ...(end === undefined ? {} : { end }),
  ...(previous === undefined ? {} : { previous }),
});
export const read = (key: string, options: RangeOptions = {}): Operation => ({
  kind: "range",
  key,
  ...options,
});
export const absent = (key: string): Compare => ({ key, target: "create", op: "=", value: 0 });

export class Subject {
  readonly store: Store;
  readonly advance: (milliseconds: number) => Promise<void>;
  /** The store's revision when the test began. */
  readonly base: Revision;

  private constructor(target: ContractTarget, base: Revision) {
    this.store = target.store;
    this.advance = (milliseconds) => target.advance(milliseconds);
    this.base = base;
  }

  static async from(target: ContractTarget): Promise<Subject> {
    const { revision } = await target.store.range("/", { countOnly: true });
    return new Subject(target, revision);
  }

  write(...operations: Operation[]): Promise<TransactionResult> {
    return this.store.transact({ if: [], then: operations });
  }

  /** Puts one key; the revision as a number from the start of the test. */
  async put(key: string, value: string, more: object = {}): Promise<Revision> {
    return (await this.write(put(key, value, more))).revision - this.base;
  }

  async delete(key: string, end?: string): Promise<Revision> {
    return (await this.write(del(key, end))).revision - this.base;
  }

  /** `then` puts nothing and `else` nothing: only whether the compares hold. */
  async holds(...compares: Compare[]): Promise<boolean> {
    return (await this.store.transact({ if: compares, then: [], else: [] })).succeeded;
  }

  async get(key: string, revision?: Revision): Promise<Plain | undefined> {
    const kv = await this.store.get(key, revision === undefined ? undefined : this.base + revision);
    return kv === undefined ? undefined : this.plain(kv);
  }

  /** Everything under a prefix. */
  async list(prefix: string, options: RangeOptions = {}): Promise<RangeResult> {
    return this.store.range(prefix, { end: prefixEnd(prefix), ...options });
  }

  async listKeys(prefix: string, options: RangeOptions = {}): Promise<readonly string[]> {
    return (await this.list(prefix, options)).kvs.map((kv) => kv.key);
  }

  watch(request: WatchRequest): Promise<Recorder> {
    return Recorder.open(this.store, request);
  }

  watchPrefix(prefix: string, more: Partial<WatchRequest> = {}): Promise<Recorder> {
    return this.watch({ key: prefix, end: prefixEnd(prefix), ...more });
  }

  plain(kv: KeyValue): Plain {
    return {
      key: kv.key,
      value: kv.value.toString(),
      create: kv.createRevision - this.base,
      mod: kv.modRevision - this.base,
      version: kv.version,
    };
  }

  /** `put /a=1@2` or `delete /a@3`, with ` (was 0)` when the previous value came along. */
  line(event: StoreEvent): string {
    const { type, kv, previous } = event;
    const value = type === "put" ? `=${kv.value.toString()}` : "";
    const was = previous === undefined ? "" : ` (was ${previous.value.toString()})`;
    return `${type} ${kv.key}${value}@${kv.modRevision - this.base}${was}`;
  }

  lines(recorder: Recorder): readonly string[] {
    return recorder.events.map((event) => this.line(event));
  }
}

export interface Plain {
  readonly key: string;
  readonly value: string;
  readonly create: Revision;
  readonly mod: Revision;
  readonly version: number;
}

export async function refuses(code: StoreErrorCode, attempt: () => unknown): Promise<void> {
  await assert.rejects(
    async () => attempt(),
    (error) => {
      assert.ok(error instanceof StoreError, `expected a StoreError, got ${String(error)}`);
      assert.equal(error.code, code);
      return true;
    },
  );
}
