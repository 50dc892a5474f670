// The DNS server over UDP: while the cluster is not known yet it says so, instead of denying what is there.
import assert from "node:assert/strict";
import { Resolver } from "node:dns/promises";
import { test } from "node:test";
import { services } from "#api";
import { seededRandom, silentLog, systemClock } from "#base";
import { createClient, createFakeApi, createInformerFactory } from "#client";
import { startDns } from "./server.ts";

test("a service's name is SERVFAIL until services are listed, then its address", async () => {
  const api = createFakeApi({ clock: systemClock });
  api.put(services, {
    metadata: { namespace: "default", name: "web" },
    spec: { clusterIP: "10.96.0.7", clusterIPs: ["10.96.0.7"], ports: [{ port: 80 }] },
  });
  const listing = Promise.withResolvers<undefined>();
  api.before = () => listing.promise;
  const client = createClient(api);
  const informers = createInformerFactory({ client, clock: systemClock, random: seededRandom(1), log: silentLog });
  const dns = await startDns(
    { addresses: ["127.0.0.1"], port: 0, zone: "cluster.local", forwardTo: [] },
    { informers, clock: systemClock, log: silentLog },
  );
  const resolver = new Resolver({ tries: 1 });
  resolver.setServers([`127.0.0.1:${dns.port}`]);
  await assert.rejects(resolver.resolve4("web.default.svc.cluster.local"), { code: "ESERVFAIL" });
  listing.resolve(undefined);
  await dns.synced;
  assert.deepEqual(await resolver.resolve4("web.default.svc.cluster.local"), ["10.96.0.7"]);
  await assert.rejects(resolver.resolve4("other.default.svc.cluster.local"), { code: "ENOTFOUND" });
  await dns[Symbol.asyncDispose]();
  await informers[Symbol.asyncDispose]();
});
