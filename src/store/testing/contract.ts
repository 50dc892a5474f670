// What `Store` means, as tests: every backend runs all of them.
import { suite, test } from "node:test";
import type { Store } from "../store.ts";
import { compactionCases } from "./contract/compaction.ts";
import { leaseCases } from "./contract/leases.ts";
import { rangeCases } from "./contract/range.ts";
import { Subject } from "./contract/subject.ts";
import { transactionCases } from "./contract/transactions.ts";
import { watchCases } from "./contract/watch.ts";

export interface ContractTarget extends AsyncDisposable {
  readonly store: Store;
  /** Lets time pass for the store's leases. */
  advance(milliseconds: number): Promise<void>;
}

export interface ContractOptions {
  /** Names of cases that this backend explains elsewhere, with the reason. */
  readonly skip?: Readonly<Record<string, string>>;
  /** Set to skip the whole suite, with the reason. */
  readonly skipAll?: string | undefined;
}

export const contractCases = [...rangeCases, ...transactionCases, ...watchCases, ...leaseCases, ...compactionCases];

/** Registers the suite for one backend; `open` gives a store that nobody else writes to (it need not be empty). */
export function storeContract(name: string, open: () => Promise<ContractTarget>, options: ContractOptions = {}): void {
  suite(`Store contract: ${name}`, { skip: options.skipAll ?? false }, () => {
    for (const { name: sentence, run } of contractCases) {
      test(sentence, { skip: options.skip?.[sentence] ?? false, timeout: 30_000 }, async () => {
        await using target = await open();
        await run(await Subject.from(target));
      });
    }
  });
}
