// The etcd store on several members of a real etcd, with members killed and frozen under load: nothing acknowledged is lost, reads and watches go on.
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { sleep, systemClock } from "#base";
import { type EtcdStore, prefixEnd, type Store, StoreError } from "#store";
import { opensslMissing } from "./support/certificates.ts";
import { type Account, type Seen, settle, type Target, underLoad } from "./support/load.ts";
import { inTurn, startMembers } from "./support/members.ts";
import { etcdMissing } from "./support/real-etcd.ts";

const skip = etcdMissing ?? opensslMissing ?? false;
/** An election takes 1 to 2 s by default; a vote may be split, and a busy machine takes its time. */
const electionMs = 9_000;
const prefix = "/w/";
const everything = { end: prefixEnd(prefix) };
const pause = (ms: number): Promise<void> => sleep(systemClock, ms);

/** Each write is two keys in one transaction: half of it must never be seen. */
const target = (store: Store): Target => ({
  write: async (name) => {
    const value = Buffer.from(name);
    const result = await store.transact({
      if: [{ key: prefix + name, target: "create", op: "=", value: 0 }],
      then: [
        { kind: "put", key: prefix + name, value },
        { kind: "put", key: `/twin/${name}`, value },
      ],
    });
    assert.ok(result.succeeded, `"${name}" was there before it was written: a write was repeated`);
    return result.revision;
  },
  read: async () => (await store.range(prefix, everything)).kvs.map(({ key }) => key.slice(prefix.length)),
  mayBeApplied: (error) => error instanceof StoreError && error.code === "unknownOutcome",
});

async function watching(store: Store, from: number): Promise<readonly Seen[]> {
  const seen: Seen[] = [];
  await store.watch({ key: prefix, ...everything, startRevision: from }, ({ events }) => {
    for (const { type, kv } of events)
      seen.push({ name: `${type === "put" ? "" : "-"}${kv.key.slice(3)}`, revision: kv.modRevision });
  });
  return seen;
}

const within = async (limitMs: number, done: () => boolean): Promise<void> => {
  for (const end = performance.now() + limitMs; !done() && performance.now() < end; ) await pause(20);
};

async function holds(store: EtcdStore, account: Account, watched: readonly Seen[]): Promise<void> {
  const { kvs } = await store.range(prefix, everything);
  const there = kvs.map((kv) => ({ name: kv.key.slice(prefix.length), revision: kv.modRevision }));
  await within(5_000, () => watched.length >= there.length);
  settle(account.written, there, watched);
  const twins = await store.range("/twin/", { end: prefixEnd("/twin/"), keysOnly: true });
  assert.deepEqual(
    twins.kvs.map((kv) => kv.key.slice("/twin/".length)),
    there.map(({ name }) => name),
    "no write is half there",
  );
}

suite("etcd store on several members", { concurrency: 3, skip }, () => {
  for (const tls of [false, true]) {
    test(`${tls ? "the leader of three members with TLS is killed" : "each of three members is killed in turn"} under load: no write lost or doubled, no read fails, the watch has no gap`, {
      timeout: 60_000,
    }, async (t) => {
      await using members = await startMembers(3, { tls });
      await using store = await members.open({ timeoutMs: 5_000 });
      const watched = await watching(store, 1);
      const account = await underLoad(target(store), { slowMs: 1_000, fastMs: 4 }, () => inTurn(members, 2_000, tls ? 1 : 3));
      t.diagnostic(account.report);
      assert.deepEqual(account.failedReads, []);
      assert.ok(account.longestReadGapMs < electionMs, `reads paused for ${account.longestReadGapMs} ms`);
      assert.ok(account.written.length > 200, `only ${account.written.length} writes: the load was none`);
      await holds(store, account, watched);
    });
  }

  test("a member that is frozen costs one attempt: reads go to another, a write in its hands is unknown and not made twice", {
    timeout: 60_000,
  }, async (t) => {
    await using members = await startMembers(3);
    const leader = await members.leader();
    const victim = members.urls.keys().find((index) => index !== leader) as number;
    const servers = [members.urls[victim] as string, ...members.urls.filter((_, index) => index !== victim)];
    await using store = await members.open({ servers, timeoutMs: 5_000 });
    const watched = await watching(store, 1);
    const account = await underLoad(target(store), { slowMs: 1_000, fastMs: 4 }, async () => {
      await pause(300);
      members.freeze(victim);
      await pause(9_000); // longer than the limit of a write, also where that began late
      members.thaw(victim);
      await pause(300);
    });
    t.diagnostic(account.report);
    assert.deepEqual(account.failedReads, []);
    assert.ok(
      account.written.some(({ outcome }) => outcome === "unknown"),
      "a write was in the frozen member's hands",
    );
    await holds(store, account, watched);
  });

  test("two of three members killed: writes end with an unknown outcome, reads fail, nothing is half written; restored, all goes on", {
    timeout: 60_000,
  }, async (t) => {
    await using members = await startMembers(3);
    await using store = await members.open({ timeoutMs: 2_000 });
    const watched = await watching(store, 1);
    const account = await underLoad(target(store), { slowMs: 1_000, fastMs: 4 }, async () => {
      await pause(500);
      await Promise.all([members.kill(0), members.kill(1)]);
      await pause(2_500);
      await assert.rejects(store.currentRevision(), (error) => error instanceof StoreError && error.code === "unavailable");
      await assert.rejects(target(store).write("late"), (error) => {
        assert.ok(error instanceof StoreError && error.code === "unknownOutcome", String(error));
        return true;
      });
      await Promise.all([members.restart(0), members.restart(1)]);
      await pause(1_000);
    });
    t.diagnostic(account.report);
    assert.ok(account.failedReads.length > 0 && account.written.at(-1)?.outcome === "acknowledged");
    await holds(store, { ...account, written: [...account.written, { name: "late", outcome: "unknown", revision: 0 }] }, watched);
  });

  for (const [count, kills, survives] of [
    [5, 2, true],
    [4, 2, false],
    [7, 3, true],
  ] as const) {
    test(`${count} members ${survives ? "survive" : "do not survive"} the loss of ${kills}`, { timeout: 180_000 }, async () => {
      await using members = await startMembers(count);
      await using store = await members.open({ timeoutMs: 2_500 });
      const leader = await members.leader();
      assert.equal((await members.status()).filter(({ leads }) => leads).length, 1);
      const others = members.urls.keys().filter((index) => index !== leader);
      await Promise.all([leader, ...others.take(kills - 1)].map((index) => members.kill(index)));
      // What a follower hands on to the lost leader is lost with it; the rest elects another.
      const writes = target(store);
      const attempt = async (i: number): Promise<unknown> => writes.write(`try-${i}`).catch((error: StoreError) => error.code);
      // An election takes as long as the machine makes it take: those that survive are asked until they have had theirs.
      let outcome = await attempt(0);
      for (let i = 1; survives ? typeof outcome !== "number" : i < 2; i++) outcome = await attempt(i);
      assert.equal(survives ? typeof outcome : outcome, survives ? "number" : "unknownOutcome", String(outcome));
    });
  }

  test("a store that was told one member of three learns the others, and outlives the one", { timeout: 60_000 }, async () => {
    await using members = await startMembers(3);
    await using store = await members.open({ servers: members.urls.slice(0, 1) });
    assert.deepEqual([...store.members].sort(), [...members.urls].sort());
    const { revision } = await store.transact({ if: [], then: [{ kind: "put", key: "/a", value: Buffer.from("1") }] });
    await members.kill(0);
    assert.equal(await store.currentRevision(), revision);
  });
});
