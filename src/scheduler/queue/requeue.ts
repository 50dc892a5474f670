// Which waiting pods an event may help: the event is matched against plugins first, and only pods that those refused are asked about.
import type { PodInfo } from "../cluster/pod-info.ts";
import type { ClusterEvent, Requeue } from "../framework/plugin.ts";
import type { Profile } from "../framework/profile.ts";

export interface Helper {
  /** Pods that none of these refused need not be asked about. */
  readonly plugins: readonly string[];
  helps(pod: PodInfo, rejectedBy: ReadonlySet<string>): boolean;
}

/** In place of a plugin's name: refused because there was no node at all, so that any new one may help. */
export const noNodes = "*";

const newNode: Requeue = { resource: "nodes", action: "Add" };

/** `profileOf` says which profile a pod belongs to. */
export function requeueIndex(
  profiles: Iterable<Profile>,
  profileOf: (pod: PodInfo) => Profile | undefined,
): (event: ClusterEvent) => Helper | undefined {
  const index = new Map<string, { readonly profile: Profile; readonly plugin: string; readonly requeue: Requeue }[]>();
  for (const profile of profiles) {
    const plugins = [...profile.plugins.values(), { name: noNodes, requeueOn: [newNode] }];
    for (const { name, requeueOn } of plugins) {
      for (const requeue of requeueOn ?? []) {
        const key = `${requeue.resource} ${requeue.action}`;
        const entries = index.get(key) ?? [];
        entries.push({ profile, plugin: name, requeue });
        index.set(key, entries);
      }
    }
  }
  return (event) => {
    const entries = index.get(`${event.resource} ${event.action}`)?.filter(({ requeue }) => requeue.ever?.(event) ?? true) ?? [];
    if (entries.length === 0) return undefined;
    return {
      plugins: [...new Set(entries.map(({ plugin }) => plugin))],
      helps: (pod, rejectedBy) => {
        const own = profileOf(pod);
        return entries.some(
          ({ profile, plugin, requeue }) => profile === own && rejectedBy.has(plugin) && (requeue.when?.(pod, event) ?? true),
        );
      },
    };
  };
}
