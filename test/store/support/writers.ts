// Eight writers on a store, each waiting for its answers, until each has had so many refusals.
import { type Store, StoreError } from "#store";
import { operationsOf } from "./replay.ts";

interface WritersOptions {
  readonly store: Store;
  readonly cycle: number;
  readonly bytes: number;
  /** Each writer gives up after that many writes. */
  readonly most: number;
  readonly say: (line: string) => void;
}

/** Says "wrote REVISION WRITER N" and "refused WRITER N CODE"; a writer stops at its first refusal. Returns the codes. */
export function runWriters({ store, cycle, bytes, most, say }: WritersOptions): Promise<readonly string[]> {
  const write = async (writer: number): Promise<string> => {
    for (let n = 0; n < most; n++) {
      try {
        const { revision } = await store.transact({ if: [], then: operationsOf({ cycle, writer, n }, bytes) });
        say(`wrote ${revision} ${writer} ${n}`);
      } catch (error) {
        const code = error instanceof StoreError ? error.code : String(error);
        say(`refused ${writer} ${n} ${code}`);
        return code;
      }
    }
    return "none";
  };
  return Promise.all(Array.from({ length: 8 }, (_, writer) => write(writer)));
}
