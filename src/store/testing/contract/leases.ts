// Contract cases: leases.
import assert from "node:assert/strict";
import { type ContractCase, put, refuses } from "./subject.ts";

export const leaseCases: readonly ContractCase[] = [
  {
    name: "grantLease() chooses an id or takes the one given",
    run: async (s) => {
      const chosen = await s.store.grantLease(60);
      assert.ok(chosen.id > 0n && chosen.id < 1n << 63n);
      assert.equal(chosen.grantedTtlSeconds, 60);
      const wanted = chosen.id ^ 1n;
      const given = await s.store.grantLease(30, wanted);
      assert.deepEqual([given.id, given.grantedTtlSeconds], [wanted, 30]);
      const ids = await s.store.leases();
      assert.ok(ids.includes(chosen.id) && ids.includes(wanted));
    },
  },
  {
    name: "grantLease() refuses an id in use and a time that is too long, and raises one that is too short",
    run: async (s) => {
      const { id } = await s.store.grantLease(60);
      await refuses("leaseExists", () => s.store.grantLease(60, id));
      await refuses("tooLarge", () => s.store.grantLease(9_000_000_001));
      assert.equal((await s.store.grantLease(1)).grantedTtlSeconds, 2);
    },
  },
  {
    name: "leases with negative ids are leases like others",
    run: async (s) => {
      await s.store.grantLease(2, -5n);
      await s.put("/l/a", "1", { lease: -5n });
      assert.ok((await s.store.leases()).includes(-5n));
      assert.deepEqual((await s.store.lease(-5n))?.keys, ["/l/a"]);
      await s.store.revokeLease(-5n);
      assert.equal(await s.get("/l/a"), undefined);
    },
  },
  {
    name: "granting and renewing leases uses no revision",
    run: async (s) => {
      const { id } = await s.store.grantLease(60);
      await s.store.keepLeaseAlive(id);
      await s.store.revokeLease(id);
      assert.equal(await s.put("/l/a", "1"), 1);
    },
  },
  {
    name: "put refuses a lease that is not there, and writes nothing",
    run: async (s) => {
      await refuses("leaseNotFound", () => s.put("/l/a", "1", { lease: 123456789n }));
      assert.equal(await s.get("/l/a"), undefined);
      assert.equal(await s.put("/l/a", "1"), 1);
    },
  },
  {
    name: "lease() tells time and keys, and undefined for an unknown one",
    run: async (s) => {
      const { id } = await s.store.grantLease(60);
      await s.put("/l/b", "1", { lease: id });
      await s.put("/l/a", "1", { lease: id });
      const lease = await s.store.lease(id);
      assert.ok(lease !== undefined && lease.remainingTtlSeconds <= 60 && lease.remainingTtlSeconds > 50);
      assert.deepEqual([...lease.keys].sort(), ["/l/a", "/l/b"]);
      assert.equal((await s.store.get("/l/a"))?.lease, id);
      assert.equal(await s.store.lease(4711n), undefined);
    },
  },
  {
    name: "revokeLease() deletes its keys in one revision, in key order, and tells watchers",
    run: async (s) => {
      const { id } = await s.store.grantLease(60);
      await s.write(put("/l/b", "1", { lease: id }), put("/l/a", "1", { lease: id }), put("/l/free", "1"));
      await using w = await s.watchPrefix("/l/");
      await s.store.revokeLease(id);
      await w.until(2);
      assert.deepEqual(s.lines(w), ["delete /l/a@2", "delete /l/b@2"]);
      assert.deepEqual(await s.listKeys("/l/"), ["/l/free"]);
      assert.equal(await s.store.lease(id), undefined);
    },
  },
  {
    name: "revokeLease() and keepLeaseAlive() refuse an unknown lease",
    run: async (s) => {
      await refuses("leaseNotFound", () => s.store.revokeLease(4711n));
      await refuses("leaseNotFound", () => s.store.keepLeaseAlive(4711n));
    },
  },
  {
    name: "a put without the lease, or with another, detaches the key",
    run: async (s) => {
      const first = await s.store.grantLease(60);
      const second = await s.store.grantLease(60);
      await s.put("/l/a", "1", { lease: first.id });
      await s.put("/l/b", "1", { lease: first.id });
      await s.put("/l/a", "2");
      await s.put("/l/b", "2", { lease: second.id });
      await s.store.revokeLease(first.id);
      assert.deepEqual(await s.listKeys("/l/"), ["/l/a", "/l/b"]);
      assert.deepEqual((await s.store.lease(second.id))?.keys, ["/l/b"]);
    },
  },
  {
    name: "a deleted key leaves its lease",
    run: async (s) => {
      const { id } = await s.store.grantLease(60);
      await s.put("/l/a", "1", { lease: id });
      await s.delete("/l/a");
      assert.deepEqual((await s.store.lease(id))?.keys, []);
      await s.put("/l/a", "2");
      await s.store.revokeLease(id);
      assert.equal((await s.get("/l/a"))?.value, "2");
    },
  },
  {
    name: "a lease that runs out deletes its keys in one revision",
    run: async (s) => {
      const { id } = await s.store.grantLease(2);
      await s.write(put("/l/a", "1", { lease: id }), put("/l/b", "1", { lease: id }));
      await using w = await s.watchPrefix("/l/");
      await s.advance(4000);
      await w.until(2);
      assert.deepEqual(s.lines(w), ["delete /l/a@2", "delete /l/b@2"]);
      assert.equal(await s.store.lease(id), undefined);
      await refuses("leaseNotFound", () => s.store.keepLeaseAlive(id));
    },
  },
  {
    name: "a lease that is kept alive does not run out",
    run: async (s) => {
      const { id } = await s.store.grantLease(3);
      await s.put("/l/a", "1", { lease: id });
      for (let i = 0; i < 3; i++) {
        await s.advance(1500);
        const { remainingTtlSeconds } = await s.store.keepLeaseAlive(id);
        assert.equal(remainingTtlSeconds, 3);
      }
      assert.equal((await s.get("/l/a"))?.value, "1");
    },
  },
  {
    name: "a lease without keys runs out without a revision",
    run: async (s) => {
      const { id } = await s.store.grantLease(2);
      await s.advance(4000);
      assert.equal(await s.store.lease(id), undefined);
      assert.equal(await s.put("/l/a", "1"), 1);
    },
  },
];
