// Waits for something to become true of one object, by watching it.
import { isGone, isNotFound, type ResourceType } from "#api";
import type { Client } from "#client";
import { Failure } from "./failure.ts";
import { watchFrames } from "./requests.ts";
import type { AnyObject } from "./session.ts";

interface Ref {
  readonly namespace?: string;
  readonly name: string;
}

/**
 * Resolves to true when `holds` does, to false when the signal aborts first. `holds` sees every state of the object, undefined while
 * there is none, and may throw.
 */
export async function until(
  client: Client,
  type: ResourceType,
  ref: Ref,
  holds: (object: AnyObject | undefined) => boolean,
  signal: AbortSignal,
): Promise<boolean> {
  const choice = { namespace: ref.namespace, fieldSelector: `metadata.name=${ref.name}` };
  while (!signal.aborted) {
    try {
      // a list, since its version is one to watch from also where there is no object
      const list = await client.list(type, { ...choice, signal });
      if (holds(list.items[0] as AnyObject | undefined)) return true;
      const { resourceVersion } = list.metadata;
      for await (const { type: event, object } of watchFrames(client, type, { ...choice, resourceVersion }, { signal }))
        if (holds(event === "DELETED" ? undefined : (object as AnyObject))) return true;
    } catch (error) {
      if (signal.aborted) return false;
      if (!isGone(error)) throw error;
    }
  }
  return false;
}

/** The object of this uid (any, where it is not known) is there no more. */
export const untilGone = (
  client: Client,
  type: ResourceType,
  ref: Ref,
  uid: string | undefined,
  signal: AbortSignal,
): Promise<boolean> =>
  until(client, type, ref, (object) => object === undefined || (uid !== undefined && object.metadata.uid !== uid), signal).catch(
    (error: unknown) => {
      if (isNotFound(error)) return true;
      throw error;
    },
  );

export const timedOut = (type: ResourceType, name: string): Failure =>
  new Failure(`error: timed out waiting for the condition on ${type.plural}/${name}`);
