import assert from "node:assert/strict";
import { test } from "node:test";
import { apiError, leases } from "#api";
import { type Running, seededRandom, silentLog, VirtualClock } from "#base";
import { electLeader } from "./leader-election.ts";
import { createClient } from "./rest-client.ts";
import { createFakeApi, type FakeApi } from "./testing/fake-api.ts";

const lease = { namespace: "kube-system", name: "kube-scheduler" };

function start() {
  const clock = new VirtualClock();
  const api = createFakeApi({ clock });
  const leading: string[] = [];
  const history: string[] = [];
  const compete = (identity: string, through: FakeApi | { send: FakeApi["send"] } = api): Running =>
    electLeader({
      client: createClient({ send: through.send, [Symbol.asyncDispose]: async () => {} }),
      clock,
      random: seededRandom(identity.length),
      log: silentLog,
      lease,
      identity,
      lead: async (signal) => {
        leading.push(identity);
        history.push(`${identity} leads`);
        const leave = (): void => {
          if (!leading.includes(identity)) return;
          leading.splice(leading.indexOf(identity), 1);
          history.push(`${identity} ends`);
        };
        signal.addEventListener("abort", leave, { once: true });
        return { [Symbol.asyncDispose]: async () => leave() };
      },
    });
  return { clock, api, leading, history, compete };
}

test("one of two leads and renews, the other waits", async () => {
  const { clock, api, leading, compete } = start();
  const a = compete("a");
  await clock.advance(10);
  const b = compete("b");
  for (let i = 0; i < 60; i++) {
    await clock.advance(1000);
    assert.deepEqual(leading, ["a"]);
  }
  const spec = api.peek(leases, lease)?.spec;
  assert.deepEqual([spec?.holderIdentity, spec?.leaseDurationSeconds, spec?.leaseTransitions], ["a", 15, 0]);
  await b[Symbol.asyncDispose]();
  await a[Symbol.asyncDispose]();
});

test("a leader that stops releases the lease, and the next takes over within its retry period", async () => {
  const { clock, api, leading, compete } = start();
  const a = compete("a");
  await clock.advance(10);
  const b = compete("b");
  await clock.advance(20_000);
  await a[Symbol.asyncDispose]();
  assert.equal(api.peek(leases, lease)?.spec?.holderIdentity, "");
  await clock.advance(6_000);
  assert.deepEqual(leading, ["b"]);
  assert.equal(api.peek(leases, lease)?.spec?.leaseTransitions, 1);
  await b[Symbol.asyncDispose]();
});

test("a leader that is cut off stops before another takes over", async () => {
  const { clock, api, leading, history, compete } = start();
  let cut = false;
  const a = compete("a", { send: (request) => (cut ? new Promise(() => {}) : api.send(request)) });
  await clock.advance(10);
  const b = compete("b");
  await clock.advance(10_000);
  cut = true;
  for (let i = 0; i < 300; i++) {
    await clock.advance(100);
    assert.ok(leading.length <= 1, leading.join());
  }
  assert.deepEqual(history, ["a leads", "a ends", "b leads"]);
  await b[Symbol.asyncDispose]();
  void a[Symbol.asyncDispose]();
});

test("a leader whose lease was taken by force stops at its next renewal", async () => {
  const { clock, api, leading, compete } = start();
  const a = compete("a");
  await clock.advance(5_000);
  const held = api.peek(leases, lease);
  api.put(leases, { ...held, metadata: lease, spec: { ...held?.spec, holderIdentity: "thief" } });
  await clock.advance(2_500);
  assert.deepEqual(leading, []);
  await a[Symbol.asyncDispose]();
});

test("a few failed renewals do not end the lead", async () => {
  const { clock, api, history, compete } = start();
  const a = compete("a");
  await clock.advance(3_000);
  let failures = 0;
  api.before = ({ method }) => (method === "PUT" && failures++ < 3 ? apiError("ServiceUnavailable", "down") : undefined);
  await clock.advance(30_000);
  assert.deepEqual(history, ["a leads"]);
  await a[Symbol.asyncDispose]();
});
