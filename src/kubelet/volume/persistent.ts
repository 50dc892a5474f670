// Persistent volume claims that are bound to a path of this host.
import { isNotFound, type Pod, persistentVolumeClaims, persistentVolumes, type Volume } from "#api";
import type { Client } from "#client";
import { CannotMount } from "./volumes.ts";

/** The path on the host of a claim (or of an ephemeral volume's claim). Throws CannotMount for volumes of other kinds. */
export async function claimPath(
  pod: Pod,
  volume: Volume,
  client: Client,
): Promise<{ readonly path: string; readonly type?: string }> {
  const namespace = pod.metadata.namespace ?? "";
  const name = volume.persistentVolumeClaim?.claimName ?? `${pod.metadata.name}-${volume.name}`;
  const claim = await orMissing(
    client.get(persistentVolumeClaims, { namespace, name }),
    `persistentvolumeclaim "${name}" not found`,
  );
  const bound = claim.spec?.volumeName;
  if (bound === undefined || bound === "" || claim.status?.phase !== "Bound")
    throw new CannotMount(`persistentvolumeclaim "${name}" is not bound to a volume`);
  const persistent = await orMissing(client.get(persistentVolumes, { name: bound }), `persistentvolume "${bound}" not found`);
  if (persistent.spec?.claimRef?.uid !== claim.metadata.uid)
    throw new CannotMount(`persistentvolume "${bound}" is bound to another claim`);
  const { hostPath, local } = persistent.spec ?? {};
  if (hostPath !== undefined) return hostPath;
  if (local !== undefined) return { path: local.path };
  throw new CannotMount(`persistentvolume "${bound}": only hostPath and local volumes are supported on this node yet`);
}

async function orMissing<T>(reading: Promise<T>, message: string): Promise<T> {
  try {
    return await reading;
  } catch (error) {
    throw isNotFound(error) ? new CannotMount(message) : error;
  }
}
