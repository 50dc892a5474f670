import assert from "node:assert/strict";
import { test } from "node:test";
import {
  type ApiObject,
  apiError,
  configMaps,
  namespaces,
  type OwnerReference,
  pods,
  type ResourceType,
  replicaSets,
  type Stored,
  secrets,
} from "#api";
import { createWorld, namesOf, type World } from "../testing/world.ts";
import { startGarbageCollector } from "./controller.ts";

const types = [configMaps, secrets, pods, replicaSets, namespaces] as readonly ResourceType[];

async function start(given: (world: World) => void): Promise<World & { stopped(): Promise<void> }> {
  const world = createWorld();
  given(world);
  const running = startGarbageCollector(world.context, async () => ({ resources: types, failures: [] }));
  world.context.informers.start();
  await world.settle();
  const { [Symbol.asyncDispose]: dispose } = world;
  const stopped = async (): Promise<void> => {
    await running[Symbol.asyncDispose]();
    await dispose();
  };
  return Object.assign(world, { stopped, [Symbol.asyncDispose]: stopped });
}

const kindOf = (type: ResourceType): Pick<OwnerReference, "apiVersion" | "kind"> => ({
  apiVersion: type.group === "" ? type.version : `${type.group}/${type.version}`,
  kind: type.kind,
});
const ref = (type: ResourceType, owner: Stored<ApiObject>, block = false): OwnerReference => ({
  ...kindOf(type),
  name: owner.metadata.name,
  uid: owner.metadata.uid,
  ...(block ? { blockOwnerDeletion: true } : {}),
});
const map = (world: World, name: string, owners: readonly OwnerReference[] = [], more: Partial<ApiObject["metadata"]> = {}) =>
  world.api.put(configMaps, {
    metadata: { namespace: "a", name, ...(owners.length > 0 ? { ownerReferences: owners } : {}), ...more },
  });
const left = (world: World): string[] => namesOf(world.api.all(configMaps)).sort();
const del = (world: World, name: string, propagationPolicy?: string) =>
  world.client.delete(configMaps, { namespace: "a", name }, { propagationPolicy });

test("what an owner owned goes after it, down the whole chain, and nothing else", async () => {
  await using world = await start((world) => {
    const root = map(world, "root");
    const child = map(world, "child", [ref(configMaps, root)]);
    map(world, "grandchild", [ref(configMaps, child)]);
    map(world, "other", [ref(configMaps, map(world, "unrelated"))]);
  });
  assert.deepEqual(left(world), ["child", "grandchild", "other", "root", "unrelated"]);
  await del(world, "root");
  await world.settle();
  assert.deepEqual(left(world), ["other", "unrelated"]);
});

test("an object whose owner vanished while nobody watched is collected at start", async () => {
  await using world = await start((world) => {
    const root = map(world, "root");
    map(world, "child", [ref(configMaps, root)]);
    world.api.remove(configMaps, { namespace: "a", name: "root" });
  });
  assert.deepEqual(left(world), []);
});

test("an owner of the same name but another uid is not the owner", async () => {
  await using world = await start((world) => {
    const root = map(world, "root");
    world.api.remove(configMaps, { namespace: "a", name: "root" });
    map(world, "root");
    map(world, "child", [ref(configMaps, root)]);
  });
  assert.deepEqual(left(world), ["root"]);
});

test("with one owner alive the object stays and loses the reference to the dead one", async () => {
  await using world = await start((world) => {
    const one = map(world, "one");
    const two = map(world, "two");
    map(world, "child", [ref(configMaps, one), ref(configMaps, two)]);
  });
  await del(world, "one");
  await world.settle();
  assert.deepEqual(left(world), ["child", "two"]);
  assert.deepEqual(
    world.api.peek(configMaps, { namespace: "a", name: "child" })?.metadata.ownerReferences?.map(({ name }) => name),
    ["two"],
  );
});

test("a foreground deletion removes blocking dependents first, then the owner", async () => {
  await using world = await start((world) => {
    const root = map(world, "root");
    const child = map(world, "child", [ref(configMaps, root, true)]);
    map(world, "grandchild", [ref(configMaps, child, true)]);
  });
  const order: string[] = [];
  world.context.informers.informer(configMaps).addHandler({ deleted: ({ metadata }) => order.push(metadata.name) });
  await del(world, "root", "Foreground");
  await world.settle();
  await world.settle();
  assert.deepEqual(order, ["grandchild", "child", "root"]);
});

test("a foreground deletion waits for a dependent that is held by a finalizer", async () => {
  await using world = await start((world) => {
    map(world, "held", [ref(configMaps, map(world, "root"), true)], { finalizers: ["example.com/hold"] });
  });
  await del(world, "root", "Foreground");
  await world.settle();
  assert.deepEqual(left(world), ["held", "root"]);
  const held = world.api.peek(configMaps, { namespace: "a", name: "held" });
  assert.ok(held?.metadata.deletionTimestamp !== undefined);
  await world.client.patch(
    configMaps,
    { namespace: "a", name: "held" },
    { type: "merge", body: { metadata: { finalizers: [] } } },
  );
  await world.settle();
  assert.deepEqual(left(world), []);
});

test("two that block each other in a foreground deletion both go", async () => {
  await using world = await start((world) => {
    const one = map(world, "one");
    const two = map(world, "two", [ref(configMaps, one, true)]);
    map(world, "one", [ref(configMaps, two, true)]);
  });
  await del(world, "one", "Foreground");
  await world.pass(10_000);
  assert.deepEqual(left(world), []);
});

test("three that block each other in a circle all go", async () => {
  await using world = await start((world) => {
    const one = map(world, "one");
    const two = map(world, "two", [ref(configMaps, one, true)]);
    const three = map(world, "three", [ref(configMaps, two, true)]);
    map(world, "one", [ref(configMaps, three, true)]);
  });
  await del(world, "one", "Foreground");
  await world.pass(10_000);
  assert.deepEqual(left(world), []);
});

test("an orphaning deletion leaves the dependents, without the reference", async () => {
  await using world = await start((world) => {
    const root = map(world, "root");
    map(world, "one", [ref(configMaps, root)]);
    map(world, "two", [ref(configMaps, root)]);
  });
  await del(world, "root", "Orphan");
  await world.settle();
  assert.deepEqual(left(world), ["one", "two"]);
  assert.deepEqual(
    world.api.all(configMaps).map(({ metadata }) => metadata.ownerReferences?.length ?? 0),
    [0, 0],
  );
});

test("while the server cannot be asked about an owner, nothing is deleted", async () => {
  await using world = await start((world) => {
    map(world, "child", [{ apiVersion: "v1", kind: "Secret", name: "gone", uid: "gone" }]);
    world.api.before = ({ path, method }) =>
      method === "GET" && path.endsWith("/secrets/gone") ? apiError("ServiceUnavailable", "down") : undefined;
  });
  await world.pass(5_000);
  assert.deepEqual(left(world), ["child"]);
  world.api.before = () => undefined;
  await world.pass(60_000);
  assert.deepEqual(left(world), []);
});

test("an owner of a kind that the server does not know keeps its dependents", async () => {
  await using world = await start((world) => {
    map(world, "child", [{ apiVersion: "example.com/v1", kind: "Widget", name: "w", uid: "w" }]);
  });
  await world.pass(10_000);
  assert.deepEqual(left(world), ["child"]);
});

test("a cluster-scoped object with an owner in a namespace is kept", async () => {
  await using world = await start((world) => {
    world.api.put(namespaces, {
      spec: {},
      metadata: { name: "n", ownerReferences: [{ apiVersion: "v1", kind: "ConfigMap", name: "x", uid: "x" }] },
    });
  });
  await world.pass(1_000);
  assert.equal(world.api.all(namespaces).length, 1);
});

test("an owner in another namespace does not count, and an event says so", async () => {
  await using world = await start((world) => {
    const foreign = world.api.put(secrets, { metadata: { namespace: "b", name: "s" } });
    map(world, "child", [ref(secrets, foreign)]);
  });
  await world.settle();
  assert.deepEqual(left(world), []);
  assert.equal(world.api.all(secrets).length, 1);
  assert.match(
    world.events[0] ?? "",
    /^Warning OwnerRefInvalidNamespace ownerRef \[v1\/Secret, namespace: b, name: s, uid: uid-1\] does not exist in namespace "a"$/,
  );
});

test("a dependent that got a new owner since it was judged is not deleted", async () => {
  await using world = await start((world) => {
    map(world, "child", [ref(configMaps, map(world, "one"))]);
    map(world, "two");
  });
  let raced = false;
  world.api.before = ({ method, path }) => {
    if (raced || method !== "DELETE" || !path.endsWith("/child")) return undefined;
    raced = true;
    const two = world.api.peek(configMaps, { namespace: "a", name: "two" });
    map(world, "child", [ref(configMaps, two as Stored<ApiObject>)]);
    return undefined;
  };
  await del(world, "one");
  await world.pass(1_000);
  assert.ok(raced);
  assert.deepEqual(left(world), ["child", "two"]);
});
