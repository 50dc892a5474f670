// The contract on a real etcd of the distribution, and on our own etcd API through the same client.
import { after, before } from "node:test";
import { silentLog, sleep, systemClock, VirtualClock } from "#base";
import { openEtcdStore, openMemoryStore, startEtcdServer } from "#store";
import { storeContract } from "../../src/store/testing/contract.ts";
import { etcdMissing, type RealEtcd, startRealEtcd } from "./support/real-etcd.ts";

const concurrent = "etcd orders requests that are under way at once as it likes";
const skip = { "transact() calls that do not wait for each other commit in the order of the calls": concurrent };
const bug19179 = "etcd before 3.5.18 forgets a deletion at the compacted revision (etcd-io/etcd#19179)";

storeContract(
  "etcd API of Tiphys through gRPC",
  async () => {
    const clock = new VirtualClock();
    const backend = openMemoryStore({ clock });
    const server = await startEtcdServer({ store: backend, clock, log: silentLog, listen: "127.0.0.1:0" });
    const store = await openEtcdStore({ servers: [server.url], clock: systemClock, log: silentLog });
    return {
      store,
      advance: (ms) => clock.advance(ms),
      [Symbol.asyncDispose]: async () => {
        await store[Symbol.asyncDispose]();
        await server[Symbol.asyncDispose]();
        await backend[Symbol.asyncDispose]();
      },
    };
  },
  { skip },
);

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
