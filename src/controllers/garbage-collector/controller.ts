// Deletes what lost its owners, and lets foreground and orphaning deletions finish (garbage collection by owner references).
import { type ApiObject, isNotFound, type OwnerReference, type ResourceType, type Stored } from "#api";
import type { Running } from "#base";
import { referenceTo, runController, type Source } from "#client";
import type { ControllerContext } from "../context.ts";
import type { Discover } from "../shared/discovery.ts";
import { foregroundFinalizer, type GraphNode, OwnerGraph, orphanFinalizer, type Seen } from "./graph.ts";
import { blocks, type OwnerState, planForOwners } from "./plan.ts";
import { FollowedResources } from "./resources.ts";

/** Keys of the queue are uids. */
export function startGarbageCollector(context: ControllerContext, discover: Discover): Running {
  const { client, events, log } = context;
  const graph = new OwnerGraph();
  let enqueue: (uid: string) => void = () => {};
  let listed = false;
  // A uid that is gone never comes back. Bounded: what falls out is asked for again.
  const gone = new Set<string>();
  const noteGone = (uid: string): void => {
    gone.add(uid);
    if (gone.size > 4096) for (const oldest of gone) return void gone.delete(oldest);
  };
  const look = (uids: readonly string[]): void => {
    // Before everything is listed most owners seem to be missing.
    if (listed) for (const uid of uids) enqueue(uid);
  };
  const resources = new FollowedResources(context, discover, {
    seen: (type, object) => look(graph.see(type, object)),
    gone: ({ metadata: { uid } }) => {
      noteGone(uid);
      look(graph.remove(uid));
    },
    dropped: (type) => graph.removeType(type),
  });

  const reconcile = async (uid: string, signal: AbortSignal): Promise<void> => {
    const node = graph.get(uid);
    if (node === undefined) return;
    if (node.seen === undefined) return verifyUnseen(node, signal);
    if (node.seen.orphansDependents) return orphan(node, node.seen, signal);
    if (node.seen.waitsForDependents) return finishForeground(node, node.seen, signal);
    if (node.seen.owners.length > 0) await collect(node, node.seen, signal);
  };

  /** Somebody refers to a uid that no list showed: if the server does not have it either, its dependents are to be looked at. */
  const verifyUnseen = async (node: GraphNode, signal: AbortSignal): Promise<void> => {
    for (const uid of node.dependents) {
      const dependent = graph.get(uid)?.seen;
      const reference = dependent?.owners.find((owner) => owner.uid === node.uid);
      if (dependent === undefined || reference === undefined) continue;
      if ((await stateOf(dependent, reference, signal)) === "absent") enqueue(uid);
    }
  };

  const collect = async (node: GraphNode, seen: Seen, signal: AbortSignal): Promise<void> => {
    const suspicious = seen.owners.some(({ uid }) => {
      const owner = graph.get(uid)?.seen;
      return owner === undefined || owner.waitsForDependents || !mayOwn(owner, seen);
    });
    if (!suspicious) return;
    const fresh = await read(seen, node.uid, signal);
    if (fresh === undefined) return look(graph.remove(node.uid));
    const states = new Map<string, OwnerState>();
    for (const reference of fresh.metadata.ownerReferences ?? [])
      states.set(reference.uid, await stateOf(seen, reference, signal));
    const action = planForOwners(fresh, states, node.dependents.size > 0);
    const { namespace, name, uid, resourceVersion } = fresh.metadata;
    try {
      switch (action.kind) {
        case "keep":
          return;
        case "unlink":
          await writeMetadata(
            seen.type,
            fresh,
            { ownerReferences: action.references.map((reference) => ({ ...reference })) },
            signal,
          );
          return;
        case "delete":
          log.debug("deleting what lost its owners", { kind: seen.type.kind, namespace, name, policy: action.policy });
          // The resourceVersion makes sure that it still has the owners that were checked.
          await client.delete(
            seen.type,
            { namespace, name },
            { propagationPolicy: action.policy, preconditions: { uid, resourceVersion }, signal },
          );
          return;
        default:
          return action satisfies never;
      }
    } catch (error) {
      if (!isNotFound(error)) throw error;
    }
  };

  const finishForeground = async (node: GraphNode, seen: Seen, signal: AbortSignal): Promise<void> => {
    const blocking = [...node.dependents].filter((uid) => {
      const dependent = graph.get(uid)?.seen;
      return dependent !== undefined && blocks(dependent, node.uid);
    });
    if (blocking.length === 0) return removeFinalizer(seen, node.uid, foregroundFinalizer, signal);
    for (const uid of blocking) {
      const dependent = graph.get(uid)?.seen;
      if (dependent?.waitsForDependents !== true) enqueue(uid);
      // Those that wait for each other, in whatever long a circle, would wait for ever: the reference stops blocking.
      else if (waitsFor(graph, uid, node.uid)) await unblock(dependent, uid, node.uid, signal);
    }
  };

  const unblock = async (dependent: Seen, uid: string, owner: string, signal: AbortSignal): Promise<void> => {
    const fresh = await read(dependent, uid, signal);
    if (fresh === undefined) return;
    const ownerReferences = (fresh.metadata.ownerReferences ?? []).map((reference) =>
      reference.uid === owner ? { ...reference, blockOwnerDeletion: false } : { ...reference },
    );
    await writeMetadata(dependent.type, fresh, { ownerReferences }, signal);
  };

  const orphan = async (node: GraphNode, seen: Seen, signal: AbortSignal): Promise<void> => {
    for (const uid of node.dependents) {
      const dependent = graph.get(uid)?.seen;
      const fresh = dependent === undefined ? undefined : await read(dependent, uid, signal);
      if (dependent === undefined || fresh === undefined) continue;
      const references = fresh.metadata.ownerReferences ?? [];
      const rest = references.filter((reference) => reference.uid !== node.uid);
      if (rest.length < references.length)
        await writeMetadata(dependent.type, fresh, { ownerReferences: rest.map((reference) => ({ ...reference })) }, signal);
    }
    await removeFinalizer(seen, node.uid, orphanFinalizer, signal);
  };

  const removeFinalizer = async (seen: Seen, uid: string, finalizer: string, signal: AbortSignal): Promise<void> => {
    const fresh = await read(seen, uid, signal);
    if (fresh?.metadata.finalizers?.includes(finalizer) !== true) return;
    await writeMetadata(
      seen.type,
      fresh,
      { finalizers: fresh.metadata.finalizers.filter((other) => other !== finalizer) },
      signal,
    );
  };

  const writeMetadata = async (
    type: ResourceType,
    fresh: Stored<ApiObject>,
    change: { ownerReferences?: readonly OwnerReference[]; finalizers?: readonly string[] },
    signal: AbortSignal,
  ): Promise<void> => {
    const { namespace, name, uid, resourceVersion } = fresh.metadata;
    const metadata = JSON.parse(JSON.stringify({ uid, resourceVersion, ...change }));
    try {
      await client.patch(type, { namespace, name }, { type: "merge", body: { metadata } }, { signal });
    } catch (error) {
      if (!isNotFound(error)) throw error;
    }
  };

  /** The object as the server has it now; undefined when it is gone or another one has its name. */
  const read = async (
    seen: Pick<Seen, "type" | "namespace" | "name">,
    uid: string,
    signal: AbortSignal,
  ): Promise<Stored<ApiObject> | undefined> => {
    try {
      const object = await client.get(seen.type, { namespace: seen.namespace, name: seen.name }, { signal });
      return object.metadata.uid === uid ? object : undefined;
    } catch (error) {
      if (isNotFound(error)) return undefined;
      throw error;
    }
  };

  const stateOf = async (dependent: Seen, reference: OwnerReference, signal: AbortSignal): Promise<OwnerState> => {
    if (gone.has(reference.uid)) return "absent";
    const known = graph.get(reference.uid)?.seen;
    if (known !== undefined && mayOwn(known, dependent) && known.name === reference.name)
      return known.waitsForDependents && blocks({ owners: [reference] }, reference.uid) ? "waitsForDependents" : "solid";
    const type = resources.typeOf(reference);
    if (type === undefined)
      throw new Error(
        `Cannot find owner "${reference.name}": the server knows no kind "${reference.kind}" of "${reference.apiVersion}"`,
      );
    if (known !== undefined && !mayOwn(known, dependent)) warnNamespace(dependent, known, reference);
    // A cluster-scoped object cannot be owned by one in a namespace: the reference names nothing that could be looked up.
    if (type.namespaced && dependent.namespace === undefined) return "solid";
    const owner = await read(
      { type, namespace: type.namespaced ? dependent.namespace : undefined, name: reference.name },
      reference.uid,
      signal,
    );
    if (owner === undefined) {
      // In another namespace it may well be alive.
      if (known === undefined) noteGone(reference.uid);
      return "absent";
    }
    return owner.metadata.deletionTimestamp !== undefined &&
      owner.metadata.finalizers?.includes(foregroundFinalizer) === true &&
      reference.blockOwnerDeletion === true
      ? "waitsForDependents"
      : "solid";
  };

  const warnNamespace = (dependent: Seen, owner: Seen, reference: OwnerReference): void => {
    const named = `[${reference.apiVersion}/${reference.kind}, namespace: ${owner.namespace ?? ""}, name: ${reference.name}, uid: ${reference.uid}]`;
    const uid = [...(graph.get(reference.uid)?.dependents ?? [])].find((id) => graph.get(id)?.seen === dependent) ?? "";
    const object = {
      metadata: { namespace: dependent.namespace, name: dependent.name, uid, resourceVersion: "", creationTimestamp: "" },
    };
    events.event(referenceTo(dependent.type, object), {
      type: "Warning",
      reason: "OwnerRefInvalidNamespace",
      message: `ownerRef ${named} does not exist in namespace "${dependent.namespace ?? ""}"`,
    });
  };

  const synced = resources.start().then(() => {
    listed = true;
    for (const uid of graph.uids()) {
      const { seen } = graph.get(uid) ?? {};
      if (seen === undefined || seen.owners.length > 0 || seen.waitsForDependents || seen.orphansDependents) enqueue(uid);
    }
  });
  const source: Source = {
    name: "all resources",
    synced,
    get hasSynced() {
      return listed;
    },
    start: (add) => {
      enqueue = add;
      return {
        [Symbol.dispose]: () => {
          enqueue = () => {};
        },
      };
    },
  };
  const running = runController({ name: "garbage-collector-controller", workers: 20, sources: [source], reconcile }, context);
  return {
    ready: () => running.ready(),
    [Symbol.asyncDispose]: async () => {
      await resources[Symbol.asyncDispose]();
      await running[Symbol.asyncDispose]();
    },
  };
}

/** Whether a foreground deletion of `uid` waits, directly or through others that wait, for `target` to go. */
function waitsFor(graph: { get(uid: string): GraphNode | undefined }, uid: string, target: string): boolean {
  const visited = new Set<string>();
  const visit = (current: string): boolean => {
    if (visited.has(current)) return false;
    visited.add(current);
    for (const next of graph.get(current)?.dependents ?? []) {
      const seen = graph.get(next)?.seen;
      if (seen === undefined || !blocks(seen, current)) continue;
      if (next === target || (seen.waitsForDependents && visit(next))) return true;
    }
    return false;
  };
  return visit(uid);
}

/** A namespaced owner owns only in its own namespace. */
const mayOwn = (owner: Seen, dependent: Seen): boolean => !owner.type.namespaced || owner.namespace === dependent.namespace;
