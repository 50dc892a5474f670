// Volumes of a node without a disk (simulated): nothing is written, but what a volume refers to must exist.
import type { Pod } from "#api";
import type { ReferencedObjects } from "../pod/environment.ts";
import { CannotMount, type PodVolumes } from "./volumes.ts";

export function referencesOnly(objects: ReferencedObjects): PodVolumes {
  const check = async (pod: Pod): Promise<void> => {
    const namespace = pod.metadata.namespace ?? "";
    for (const volume of pod.spec.volumes ?? []) {
      const sources = volume.projected?.sources ?? [];
      const maps = [volume.configMap, ...sources.map((source) => source.configMap)];
      const secrets = [
        volume.secret === undefined ? undefined : { name: volume.secret.secretName, optional: volume.secret.optional },
        ...sources.map((source) => source.secret),
      ];
      for (const map of maps) {
        if (map?.name === undefined || map.optional || (await objects.configMap(namespace, map.name)) !== undefined) continue;
        throw new CannotMount(`MountVolume.SetUp failed for volume "${volume.name}" : configmap "${map.name}" not found`);
      }
      for (const secret of secrets) {
        if (secret?.name === undefined || secret.optional || (await objects.secret(namespace, secret.name)) !== undefined)
          continue;
        throw new CannotMount(`MountVolume.SetUp failed for volume "${volume.name}" : secret "${secret.name}" not found`);
      }
    }
  };
  return {
    mount: check,
    unmount: async () => {},
    mountsOf: async () => ({ mounts: [], terminationMessageFile: undefined }),
    removeLogs: async () => {},
    logTail: async () => "",
    terminationMessage: async () => "",
  };
}
