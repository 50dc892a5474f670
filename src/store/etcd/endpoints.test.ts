// Which calls are made again with another member, and which must not be.
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { silentLog, systemClock } from "#base";
import { type MemoryStore, openMemoryStore } from "../memory.ts";
import { type Operation, type Store, StoreError } from "../store.ts";
import { mayBeMember } from "./endpoints.ts";
import { type EtcdStore, openEtcdStore } from "./etcd-store.ts";
import { type EtcdServer, startEtcdServer } from "./server.ts";

const put = (key: string): Operation => ({ kind: "put", key, value: Buffer.from("1") });

describe("an etcd store of two members, the first of which does what it is asked and then loses its answers", () => {
  let backend: MemoryStore;
  let servers: EtcdServer[];
  let store: EtcdStore;
  let losing = false;

  /** As a member that dies between the commit and its answer. */
  const lossy = (inner: Store): Store =>
    new Proxy(inner, {
      get: (target, name) => {
        const value: unknown = Reflect.get(target, name, target);
        if (typeof value !== "function") return value;
        if (name !== "transact" && name !== "range") return value.bind(target);
        return async (...words: unknown[]) => {
          const answer: unknown = await Reflect.apply(value, target, words);
          if (losing) throw new StoreError("unavailable", "etcdserver: server stopped");
          return answer;
        };
      },
    });

  before(async () => {
    backend = openMemoryStore({ clock: systemClock });
    const common = { clock: systemClock, log: silentLog, listen: "127.0.0.1:0" };
    servers = [await startEtcdServer({ ...common, store: lossy(backend) }), await startEtcdServer({ ...common, store: backend })];
  });
  after(async () => {
    for (const server of servers) await server[Symbol.asyncDispose]();
    await backend[Symbol.asyncDispose]();
  });
  const open = async (urls: readonly string[]): Promise<void> => {
    losing = false;
    store = await openEtcdStore({ servers: urls, clock: systemClock, log: silentLog });
  };
  const urls = (): string[] => servers.map(({ url }) => url);

  it("makes a write once and says that its outcome is unknown", async () => {
    await open(urls());
    const { revision } = backend;
    losing = true;
    await assert.rejects(store.transact({ if: [], then: [put("/a")] }), (error) => {
      assert.ok(error instanceof StoreError);
      assert.deepEqual([error.code, error.message], ["unknownOutcome", "etcdserver: server stopped"]);
      return true;
    });
    assert.equal(backend.revision, revision + 1);
    await store[Symbol.asyncDispose]();
  });

  it("makes a read again, with the other, and a transaction that only reads", async () => {
    await open(urls());
    losing = true;
    assert.equal((await store.get("/a"))?.key, "/a");
    await store[Symbol.asyncDispose]();
    await open(urls());
    losing = true;
    const { results } = await store.transact({ if: [], then: [{ kind: "range", key: "/a" }] });
    assert.equal(results[0]?.kind, "range");
    await store[Symbol.asyncDispose]();
  });

  it("makes a write with the next member when the first cannot be reached: nothing was sent", async () => {
    const gone = await startEtcdServer({ store: backend, clock: systemClock, log: silentLog, listen: "127.0.0.1:0" });
    await gone[Symbol.asyncDispose]();
    await open([gone.url, servers[1]?.url ?? ""]);
    const { revision } = await store.transact({ if: [], then: [put("/b")] });
    assert.equal(backend.revision, revision);
    await store[Symbol.asyncDispose]();
  });
});

it("an advertised address counts only where it can mean a member", () => {
  const rows: readonly (readonly [string, string, boolean])[] = [
    ["https://10.0.0.2:2379", "https://10.0.0.1:2379", true],
    ["http://10.0.0.2:2379", "https://10.0.0.1:2379", false],
    ["http://localhost:2379", "http://10.0.0.1:2379", false],
    ["http://0.0.0.0:2379", "http://etcd.example:2379", false],
    ["http://[::]:2379", "http://etcd.example:2379", false],
    ["http://127.0.0.1:2479", "http://localhost:2379", true],
    ["http://127.example:2379", "http://10.0.0.1:2379", true],
  ];
  for (const [advertised, known, expected] of rows)
    assert.equal(mayBeMember(advertised, known), expected, `${advertised} from ${known}`);
});

it("a large range is read in parts, at one revision", async () => {
  await using backend = openMemoryStore({ clock: systemClock });
  const keys = Array.from({ length: 12_000 }, (_, i) => `/k/${String(i).padStart(6, "0")}`);
  for (let i = 0; i < keys.length; i += 1000) await backend.transact({ if: [], then: keys.slice(i, i + 1000).map(put) });
  let asked = 0;
  const counting = new Proxy(backend, {
    get: (target, name) => {
      const value: unknown = Reflect.get(target, name, target);
      if (typeof value !== "function") return value;
      return (...words: unknown[]) => {
        // Another writes between the parts.
        if (name === "range" && ++asked === 3)
          void backend.transact({ if: [], then: [{ kind: "delete", key: keys[11_000] ?? "" }] });
        return Reflect.apply(value, target, words);
      };
    },
  });
  await using server = await startEtcdServer({ store: counting, clock: systemClock, log: silentLog, listen: "127.0.0.1:0" });
  await using store = await openEtcdStore({ servers: [server.url], clock: systemClock, log: silentLog });
  asked = 0;
  const { kvs, count, more, revision } = await store.range("/k/", { end: "/k0" });
  assert.deepEqual([kvs.length, count, more, revision], [12_000, 12_000, false, 13]);
  assert.deepEqual([kvs[11_000]?.key, asked], [keys[11_000], 3]);
});
