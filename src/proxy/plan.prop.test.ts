// Whatever happens to services, the changes written one after the other leave the table as a full load would.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { Endpoint, EndpointSlice, Service } from "#api";
import { type ItemChange, ItemLedger, itemId, renderDiff, renderFull, SimulatedTable } from "#base";
import { placeInSlots } from "./endpoints.ts";
import { serviceTable } from "./frame.ts";
import type { ServiceRules } from "./model.ts";
import { planService, serviceKey } from "./plan.ts";
import { endpoint, node, service, slice } from "./testing/objects.ts";
import { contentOf, diffContent, planRules } from "./testing/oracle.ts";

const table = serviceTable({});

const names = ["a", "b", "c", "d"];

const someEndpoint: fc.Arbitrary<Endpoint> = fc
  .record({
    number: fc.integer({ min: 1, max: 6 }),
    nodeNumber: fc.integer({ min: 1, max: 2 }),
    ready: fc.boolean(),
    terminating: fc.boolean(),
  })
  .map(({ number, nodeNumber, ready, terminating }) => endpoint(number, nodeNumber, { ready, serving: true, terminating }));

const someSpec = (index: number): fc.Arbitrary<Service> =>
  fc
    .record({
      type: fc.constantFrom("ClusterIP", "NodePort", "LoadBalancer"),
      externalTrafficPolicy: fc.constantFrom("Cluster", "Local"),
      internalTrafficPolicy: fc.constantFrom("Cluster", "Local"),
      sessionAffinity: fc.constantFrom("None", "None", "ClientIP"),
      // Two services may ask for the same external address: only one can have it.
      externalIPs: fc.subarray(["198.51.100.1", "198.51.100.2"]),
      loadBalancerSourceRanges: fc.subarray(["10.0.0.0/8", "10.1.0.0/16", "203.0.113.0/24"]),
      born: fc.constantFrom("2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"),
      timeoutSeconds: fc.constantFrom(60, 120),
      protocol: fc.constantFrom("TCP", "UDP"),
    })
    .map(({ born, timeoutSeconds, protocol, ...spec }) => {
      const object = service(
        names[index] as string,
        {
          ...spec,
          clusterIP: `10.96.0.${index + 1}`,
          sessionAffinityConfig: { clientIP: { timeoutSeconds } },
          ports: [{ port: 80, nodePort: 30_000 + index, protocol }],
        },
        { loadBalancer: { ingress: spec.type === "LoadBalancer" ? [{ ip: `203.0.113.${index}` }] : [] } },
      );
      return { ...object, metadata: { ...object.metadata, creationTimestamp: born } };
    });

interface State {
  readonly service: Service | undefined;
  readonly slices: readonly EndpointSlice[];
}

const someState = (index: number): fc.Arbitrary<State> =>
  fc.record({
    service: fc.option(someSpec(index), { nil: undefined, freq: 5 }),
    slices: fc.array(fc.array(someEndpoint, { maxLength: 4 }), { maxLength: 2 }).map((groups) =>
      groups.map((endpoints) =>
        slice(names[index] as string, endpoints, {
          ports: [
            { name: "", port: 8080, protocol: "TCP" },
            { name: "", port: 8080, protocol: "UDP" },
          ],
        }),
      ),
    ),
  });

/** Batches of changes: each batch is one transaction. */
const history = fc.array(
  fc.array(
    fc.integer({ min: 0, max: names.length - 1 }).chain((index) => someState(index).map((state) => ({ index, state }))),
    { minLength: 1, maxLength: 3 },
  ),
  { maxLength: 12 },
);

const byId = (changes: readonly ItemChange[]): unknown =>
  changes
    .map(({ before, after }) => [itemId((before ?? after) as NonNullable<typeof after>), before?.value, after?.value])
    .sort();

test("changes written one after the other leave the table as a full load would, and no change says more than it must", () => {
  fc.assert(
    fc.property(history, (batches) => {
      const ledger = new ItemLedger<ServiceRules>();
      const live = new SimulatedTable();
      live.run(renderFull(table, ledger.content()));
      const states = new Map<number, State>();
      for (const batch of batches) {
        const before = ledger.content();
        for (const { index, state } of batch) {
          states.set(index, state);
          const key = `default/${names[index]}`;
          ledger.put(key, state.service && planService(state.service, state.slices, node, ledger.get(key)));
        }
        const changes = ledger.takeChanges();
        assert.deepEqual(byId(changes), byId(diffContent(before, ledger.content())));
        live.run(renderDiff(table, changes));
      }
      const fresh = new SimulatedTable();
      fresh.run(renderFull(table, ledger.content()));
      assert.deepEqual(live.snapshot(), fresh.snapshot());
    }),
    { numRuns: 150 },
  );
});

test("whatever came before, the table routes to what a proxy that starts now would: only slots may be dealt differently", () => {
  fc.assert(
    fc.property(history, (batches) => {
      const ledger = new ItemLedger<ServiceRules>();
      const states = new Map<number, State>();
      for (const { index, state } of batches.flat()) {
        states.set(index, state);
        const key = `default/${names[index]}`;
        ledger.put(key, state.service && planService(state.service, state.slices, node, ledger.get(key)));
      }
      const all = [...states.values()];
      const services = all.flatMap((state) => state.service ?? []);
      const planned = contentOf(
        planRules(
          services,
          all.flatMap((state) => state.slices),
          node,
        ),
      );
      const held = ledger.content();
      assert.deepEqual([...held.keys()].sort(), [...planned.keys()].sort());
      for (const [id, item] of planned) {
        if (item.kind === "element" && !item.name.includes("-endpoints-")) assert.equal(held.get(id)?.value, item.value, id);
      }
      for (const object of services) {
        const [fresh] = planRules(
          [object],
          all.flatMap((state) => state.slices),
          node,
        );
        for (const [port, slots] of fresh?.slots ?? [])
          assert.deepEqual(ledger.get(serviceKey(object))?.slots.get(port)?.toSorted(), slots.toSorted());
      }
    }),
    { numRuns: 150 },
  );
});

test("placeInSlots() fills every slot once, and moves nothing it need not", () => {
  const someBackends = fc.uniqueArray(fc.constantFrom("a", "b", "c", "d", "e", "f", "g"));
  fc.assert(
    fc.property(someBackends, someBackends, (before, wanted) => {
      const after = placeInSlots(before, wanted);
      assert.deepEqual(after.toSorted(), wanted.toSorted());
      const gone = before.filter((backend) => !wanted.includes(backend)).length;
      const moved = before.filter((backend, slot) => wanted.includes(backend) && after[slot] !== backend).length;
      assert.ok(moved <= gone, `${moved} moved for ${gone} gone`);
    }),
  );
});

test("one endpoint more or less touches a handful of elements, however many services and endpoints there are", () => {
  const ledger = new ItemLedger<ServiceRules>();
  const many = Array.from({ length: 200 }, (_, index) => index + 1);
  const put = (name: string, count: number): ItemChange[] => {
    const endpoints = Array.from({ length: count }, (_, index) => endpoint(index + 1, 2));
    const key = `default/${name}`;
    ledger.put(
      key,
      planService(
        service(name, {
          type: "NodePort",
          clusterIP: `10.96.1.${name.slice(1)}`,
          ports: [{ port: 80, nodePort: 30_000 + Number(name.slice(1)) }],
        }),
        [slice(name, endpoints)],
        node,
        ledger.get(key),
      ),
    );
    return ledger.takeChanges();
  };
  for (const number of many) put(`s${number}`, 50);
  assert.ok(put("s7", 51).length <= 6, "two frontends, a slot each, and chains for 51 slots");
  assert.ok(put("s7", 50).length <= 6);
  ledger.takeChanges();
  assert.deepEqual(put("s7", 50), [], "nothing for nothing");
});
