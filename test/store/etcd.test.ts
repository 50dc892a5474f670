// The contract on a real etcd of the distribution, and on our own etcd API, over each of our stores, through the same client.
import { after, before } from "node:test";
import { silentLog, sleep, systemClock, VirtualClock } from "#base";
import { openEtcdStore, openMemoryStore, type Store, startEtcdServer } from "#store";
import { storeContract } from "../../src/store/testing/contract.ts";
import { etcdMissing, type RealEtcd, startRealEtcd } from "./support/real-etcd.ts";
import { openStore, Scratch } from "./support/scratch.ts";

const concurrent = "etcd orders requests that are under way at once as it likes";
const skip = { "transact() calls that do not wait for each other commit in the order of the calls": concurrent };
const bug19179 = "etcd before 3.5.18 forgets a deletion at the compacted revision (etcd-io/etcd#19179)";

/** The store that the API stands on; `settle` resolves when what the passing of time has written is done. */
interface Backend extends AsyncDisposable {
  readonly store: Store;
  readonly settle: () => Promise<unknown>;
}

async function onDisk(clock: VirtualClock): Promise<Backend> {
  const scratch = new Scratch("facade", { inMemory: true });
  const store = await openStore(scratch.path, { clock });
  return {
    store,
    settle: () => store.status(), // the thread answers in order
    [Symbol.asyncDispose]: async () => {
      await store[Symbol.asyncDispose]();
      scratch[Symbol.dispose]();
    },
  };
}

async function inMemory(clock: VirtualClock): Promise<Backend> {
  const store = openMemoryStore({ clock });
  return { store, settle: async () => {}, [Symbol.asyncDispose]: () => store[Symbol.asyncDispose]() };
}

for (const [name, open] of [
  ["memory", inMemory],
  ["disk", onDisk],
] as const) {
  storeContract(
    `etcd API of Tiphys through gRPC, over ${name}`,
    async () => {
      const clock = new VirtualClock();
      const backend = await open(clock);
      const server = await startEtcdServer({ store: backend.store, clock, log: silentLog, listen: "127.0.0.1:0" });
      const store = await openEtcdStore({ servers: [server.url], clock: systemClock, log: silentLog });
      return {
        store,
        advance: async (ms) => {
          await clock.advance(ms);
          await backend.settle();
        },
        [Symbol.asyncDispose]: async () => {
          await store[Symbol.asyncDispose]();
          await server[Symbol.asyncDispose]();
          await backend[Symbol.asyncDispose]();
        },
      };
    },
    { skip },
  );
}

let etcd: RealEtcd | undefined;
before(async () => {
  if (etcdMissing === undefined) etcd = await startRealEtcd();
});
after(() => etcd?.[Symbol.dispose]());

storeContract(
  "etcd",
  async () => {
    if (etcd === undefined) throw new Error("etcd is not running");
    const store = await etcd.open();
    return { store, advance: (ms) => sleep(systemClock, ms), [Symbol.asyncDispose]: () => store[Symbol.asyncDispose]() };
  },
  {
    skip: { ...skip, "watch() from the compacted revision gets that revision's deletion": bug19179 },
    ...(etcdMissing === undefined ? {} : { skipAll: etcdMissing }),
  },
);
