// Namespaces that are being deleted: empties them of every resource the server knows, says what remains, and finalizes.
import {
  type ApiObject,
  isNotFound,
  type Namespace,
  namespaces as namespaceType,
  objectKey,
  pods as podType,
  type ResourceType,
  type Stored,
  semanticEqual,
} from "#api";
import { type Controller, objectPath, type Requeue, watchFor, watchMapped } from "#client";
import type { ControllerContext } from "../context.ts";
import type { Discover } from "../shared/discovery.ts";
import { OwnWrites } from "../shared/own-writes.ts";
import { conditionsAfter, isEmpty, type Sweep, stagesOf } from "./plan.ts";

/** The finalizer in spec.finalizers that is ours. */
const ours = "kubernetes";
const firstPauseMs = 250;
const longestPauseMs = 15_000;

export function namespaceController(context: ControllerContext, discover: Discover): Controller {
  const { client, clock } = context;
  const namespaces = context.informers.informer(namespaceType);
  const pods = context.informers.informer(podType);
  const writes = new OwnWrites({ informer: namespaces, client, type: namespaceType });
  /** How often a namespace was found with content, for the growing pause. */
  const sweeps = new Map<string, number>();

  const reconcile = async (name: string, signal: AbortSignal): Promise<Requeue | void> => {
    await writes.settled(name, signal);
    let namespace = namespaces.get(name);
    if (namespace?.metadata.deletionTimestamp === undefined) return void sweeps.delete(name);
    if (namespace.status?.phase !== "Terminating")
      namespace = await writeStatus(namespace, { ...namespace.status, phase: "Terminating" }, signal);
    if (!(namespace.spec?.finalizers ?? []).includes(ours)) return;

    const sweep = await empty(name, signal);
    const conditions = conditionsAfter(namespace, sweep, clock.now());
    // A namespace that was empty from the start goes without a word about it.
    if (!isEmpty(sweep) || namespace.status?.conditions !== undefined)
      namespace = await writeStatus(namespace, { ...namespace.status, conditions }, signal);
    if (isEmpty(sweep)) return finalize(namespace, signal);

    const count = sweeps.get(name) ?? 0;
    sweeps.set(name, count + 1);
    if (sweep.discoveryFailures.length + sweep.deletionFailures.length > 0)
      throw new Error(`Cannot empty namespace "${name}": ${[...sweep.discoveryFailures, ...sweep.deletionFailures].join(", ")}`);
    return { requeueAfterMs: Math.min(firstPauseMs * 2 ** count, longestPauseMs) };
  };

  const empty = async (namespace: string, signal: AbortSignal): Promise<Sweep> => {
    const { resources, failures } = await discover();
    const discoveryFailures = failures.map(({ groupVersion, message }) => `${groupVersion}: ${message}`);
    const deletionFailures: string[] = [];
    const remaining: { type: ResourceType; count: number }[] = [];
    const finalizers = new Map<string, number>();
    for (const stage of stagesOf(resources)) {
      await Promise.all(
        stage.map(async (type) => {
          try {
            const left = await emptyOf(type, namespace, signal);
            if (left.length > 0) remaining.push({ type, count: left.length });
            for (const object of left)
              for (const finalizer of object.metadata.finalizers ?? [])
                finalizers.set(finalizer, (finalizers.get(finalizer) ?? 0) + 1);
          } catch (error) {
            if (signal.aborted) throw error;
            // Its CustomResourceDefinition went away between discovery and now.
            if (!isNotFound(error)) deletionFailures.push(error instanceof Error ? error.message : String(error));
          }
        }),
      );
      if (remaining.length + deletionFailures.length > 0) break;
    }
    return { discoveryFailures, deletionFailures, remaining, finalizers };
  };

  /** Deletes what is there and returns what is left. */
  const emptyOf = async (type: ResourceType, namespace: string, signal: AbortSignal): Promise<readonly Stored<ApiObject>[]> => {
    const before = await client.list(type, { namespace, signal });
    if (before.items.length === 0) return [];
    const doomed = before.items.filter(({ metadata }) => metadata.deletionTimestamp === undefined);
    if (doomed.length > 0) {
      const options = { propagationPolicy: "Background" };
      if (type.verbs.includes("deletecollection")) await client.deleteCollection(type, { namespace, delete: options, signal });
      else
        for (const { metadata } of doomed)
          await client.delete(type, { namespace, name: metadata.name }, { ...options, signal }).catch((error: unknown) => {
            if (!isNotFound(error)) throw error;
          });
    }
    return (await client.list(type, { namespace, signal })).items;
  };

  const writeStatus = async (
    namespace: Stored<Namespace>,
    status: Namespace["status"],
    signal: AbortSignal,
  ): Promise<Stored<Namespace>> => {
    if (semanticEqual(status, namespace.status)) return namespace;
    const written = await client.update(namespaceType, { ...namespace, status }, { subresource: "status", signal });
    writes.wrote(namespace.metadata.name, written);
    return written;
  };

  const finalize = async (namespace: Stored<Namespace>, signal: AbortSignal): Promise<void> => {
    const finalizers = (namespace.spec?.finalizers ?? []).filter((finalizer) => finalizer !== ours);
    const body = { ...namespace, apiVersion: "v1", kind: "Namespace", spec: { ...namespace.spec, finalizers } };
    try {
      await client.send({
        method: "PUT",
        path: objectPath(namespaceType, { name: namespace.metadata.name }, "finalize"),
        query: {},
        body,
        signal,
      });
    } catch (error) {
      if (!isNotFound(error)) throw error;
    }
    sweeps.delete(namespace.metadata.name);
    writes.forget(namespace.metadata.name);
  };

  return {
    name: "namespace-controller",
    workers: 10,
    sources: [
      watchFor(namespaces),
      // Pods take the longest; the last one to go is the moment to look again.
      watchMapped(pods, ({ metadata }) => {
        const namespace = namespaces.get(metadata.namespace ?? "");
        return namespace?.metadata.deletionTimestamp !== undefined && pods.get(objectKey({ metadata })) === undefined
          ? [namespace.metadata.name]
          : [];
      }),
    ],
    reconcile,
  };
}
