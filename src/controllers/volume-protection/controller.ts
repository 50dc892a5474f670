// PersistentVolumeClaims and PersistentVolumes in use are protected from removal.
import {
  type ApiObject,
  isNotFound,
  persistentVolumeClaims,
  persistentVolumes,
  pods as podType,
  type ResourceType,
  type Stored,
  volumeAttributesClasses,
} from "#api";
import { type Client, type Controller, watchFor, watchMapped } from "#client";
import type { ControllerContext } from "../context.ts";
import {
  attributesClassesOf,
  attributesClassFinalizer,
  claimFinalizer,
  claimsOf,
  isBound,
  planFinalizers,
  volumeFinalizer,
} from "./plan.ts";

export function claimProtectionController({ client, informers }: ControllerContext): Controller {
  const claims = informers.informer(persistentVolumeClaims);
  const pods = informers.informer(podType);
  pods.addIndex("claim", (pod) => claimsOf(pod).map((name) => `${pod.metadata.namespace}/${name}`));
  return {
    name: "persistentvolumeclaim-protection-controller",
    sources: [
      watchFor(claims),
      // A pod that ends, or goes, lets its claims go.
      watchMapped(pods, (pod, before) => {
        const all = [...claimsOf(pod), ...(before === undefined ? [] : claimsOf(before))];
        return [...new Set(all)]
          .map((name) => `${pod.metadata.namespace}/${name}`)
          .filter((key) => claims.get(key)?.metadata.deletionTimestamp !== undefined);
      }),
    ],
    reconcile: async (key, signal) => {
      const claim = claims.get(key);
      if (claim === undefined) return;
      const finalizers = planFinalizers(claim, claimFinalizer, () => pods.byIndex("claim", key).length > 0);
      if (finalizers === undefined) return;
      if (claim.metadata.deletionTimestamp !== undefined) {
        // The cache may be late with a pod that was just bound: the server is asked before the protection goes.
        const { items } = await client.list(podType, { namespace: claim.metadata.namespace, signal });
        if (items.some((pod) => claimsOf(pod).includes(claim.metadata.name))) return;
      }
      await writeFinalizers(client, persistentVolumeClaims, claim, finalizers, signal);
    },
  };
}

export function volumeProtectionController({ client, informers }: ControllerContext): Controller {
  const volumes = informers.informer(persistentVolumes);
  return {
    name: "persistentvolume-protection-controller",
    sources: [watchFor(volumes)],
    reconcile: async (key, signal) => {
      const volume = volumes.get(key);
      const finalizers = volume === undefined ? undefined : planFinalizers(volume, volumeFinalizer, () => isBound(volume));
      if (volume !== undefined && finalizers !== undefined)
        await writeFinalizers(client, persistentVolumes, volume, finalizers, signal);
    },
  };
}

export function attributesClassProtectionController({ client, informers }: ControllerContext): Controller {
  const classes = informers.informer(volumeAttributesClasses);
  const claims = informers.informer(persistentVolumeClaims);
  const volumes = informers.informer(persistentVolumes);
  claims.addIndex("attributes-class", attributesClassesOf);
  volumes.addIndex("attributes-class", ({ spec }) =>
    spec.volumeAttributesClassName === undefined ? [] : [spec.volumeAttributesClassName],
  );
  return {
    name: "volumeattributesclass-protection-controller",
    sources: [
      watchFor(classes),
      watchMapped(claims, (claim, before) => [
        ...attributesClassesOf(claim),
        ...(before === undefined ? [] : attributesClassesOf(before)),
      ]),
      watchMapped(volumes, (volume, before) =>
        [volume.spec.volumeAttributesClassName, before?.spec.volumeAttributesClassName].filter((name) => name !== undefined),
      ),
    ],
    reconcile: async (key, signal) => {
      const found = classes.get(key);
      if (found === undefined) return;
      const inUse = (): boolean =>
        claims.byIndex("attributes-class", key).length > 0 || volumes.byIndex("attributes-class", key).length > 0;
      const finalizers = planFinalizers(found, attributesClassFinalizer, inUse);
      if (finalizers !== undefined) await writeFinalizers(client, volumeAttributesClasses, found, finalizers, signal);
    },
  };
}

async function writeFinalizers<T extends ApiObject>(
  client: Client,
  type: ResourceType<T>,
  object: Stored<T>,
  finalizers: readonly string[],
  signal: AbortSignal,
): Promise<void> {
  try {
    await client.update(type, { ...object, metadata: { ...object.metadata, finalizers } }, { signal });
  } catch (error) {
    if (!isNotFound(error)) throw error;
  }
}
