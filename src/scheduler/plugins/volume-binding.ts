// VolumeBinding: a pod's claims must exist and be bound, or be bindable once the node is known; binds the latter before the pod.
import {
  nodeSelectorMatches,
  type PersistentVolume,
  type PersistentVolumeClaim,
  type Pod,
  persistentVolumeClaims,
  persistentVolumes,
  type Stored,
  storageClasses,
} from "#api";
import type { NodeState } from "../cluster/node-state.ts";
import type { PodInfo } from "../cluster/pod-info.ts";
import type { Plugin, PluginFactory } from "../framework/plugin.ts";
import { failed, skip, success, unresolvable, type Verdict } from "../framework/verdict.ts";

const name = "VolumeBinding";
const selectedNode = "volume.kubernetes.io/selected-node";
const conflict = unresolvable("node(s) had volume node affinity conflict");
const noVolume = unresolvable("node(s) didn't find available persistent volumes to bind");
const unboundImmediate = unresolvable("pod has unbound immediate PersistentVolumeClaims");
const bindTimeoutMs = 600_000;

interface State {
  readonly bound: readonly Stored<PersistentVolume>[];
  /** WaitForFirstConsumer claims that have no volume yet. */
  readonly unbound: readonly Stored<PersistentVolumeClaim>[];
}

export const volumeBinding = {
  name,
  create: (_args, { client, clock, stopping, watch }): Plugin => {
    const claims = watch(persistentVolumeClaims);
    const volumes = watch(persistentVolumes);
    const classes = watch(storageClasses);

    const gather = (pod: PodInfo): State | Verdict => {
      const bound: Stored<PersistentVolume>[] = [];
      const unbound: Stored<PersistentVolumeClaim>[] = [];
      for (const { claimName, ephemeral } of claimNames(pod.pod)) {
        const claim = claims.get(`${pod.namespace}/${claimName}`);
        if (claim === undefined) {
          return unresolvable(
            ephemeral
              ? `waiting for ephemeral volume controller to create the persistentvolumeclaim "${claimName}"`
              : `persistentvolumeclaim "${claimName}" not found`,
          );
        }
        if (claim.status?.phase === "Lost")
          return unresolvable(
            `persistentvolumeclaim "${claimName}" bound to non-existent persistentvolume "${claim.spec?.volumeName ?? ""}"`,
          );
        if (claim.metadata.deletionTimestamp !== undefined)
          return unresolvable(`persistentvolumeclaim "${claimName}" is being deleted`);
        if (isBound(claim)) {
          const volume = volumes.get(claim.spec?.volumeName ?? "");
          if (volume !== undefined) bound.push(volume);
          continue;
        }
        const className = claim.spec?.storageClassName ?? "";
        if (classes.get(className)?.volumeBindingMode !== "WaitForFirstConsumer") return unboundImmediate;
        unbound.push(claim);
      }
      return { bound, unbound };
    };

    /** A volume that nobody has and that this claim could take on this node. */
    const findVolume = (claim: Stored<PersistentVolumeClaim>, node: NodeState): Stored<PersistentVolume> | undefined =>
      volumes
        .list()
        .find(
          (volume) =>
            volume.spec?.claimRef === undefined &&
            volume.status?.phase === "Available" &&
            (volume.spec?.storageClassName ?? "") === (claim.spec?.storageClassName ?? "") &&
            reaches(volume, node),
        );

    const allBound = (isDone: () => boolean): Promise<Verdict> =>
      new Promise((resolve) => {
        const end = (verdict: Verdict): void => {
          timer.cancel();
          handler[Symbol.dispose]();
          stopping.removeEventListener("abort", onStop);
          resolve(verdict);
        };
        const onStop = (): void => end(failed("binding volumes: the scheduler is stopping"));
        const timer = clock.after(bindTimeoutMs, () => end(failed("binding volumes: context deadline exceeded")));
        const handler = claims.addHandler({ updated: () => isDone() && end(success) });
        stopping.addEventListener("abort", onStop, { once: true });
        if (isDone()) end(success);
      });

    return {
      name,
      requeueOn: [
        {
          resource: "persistentvolumeclaims",
          action: "Add",
          when: (pod, { after }) => uses(pod, after as Stored<PersistentVolumeClaim>),
        },
        {
          resource: "persistentvolumeclaims",
          action: "Update",
          when: (pod, { after }) => uses(pod, after as Stored<PersistentVolumeClaim>),
        },
        { resource: "persistentvolumes", action: "Add" },
        { resource: "persistentvolumes", action: "Update" },
        { resource: "storageclasses", action: "Add" },
        { resource: "nodes", action: "Add" },
        { resource: "nodes", action: "Update" },
      ],
      preFilter: (pod, cycle) => {
        if (claimNames(pod.pod).length === 0) return { verdict: skip };
        const state = gather(pod);
        if ("code" in state) return { verdict: state };
        cycle.set(name, state);
        return { verdict: success };
      },
      filter: (_pod, node, cycle) => {
        const state = cycle.get<State>(name) as State; // preFilter set it or said Skip
        if (!state.bound.every((volume) => reaches(volume, node))) return conflict;
        for (const claim of state.unbound) {
          const provisioner = classes.get(claim.spec?.storageClassName ?? "")?.provisioner;
          if (provisioner === "kubernetes.io/no-provisioner" && findVolume(claim, node) === undefined) return noVolume;
        }
        return success;
      },
      preBind: async (pod, nodeName, cycle) => {
        const state = cycle.get<State>(name);
        if (state === undefined || state.unbound.length === 0) return success;
        const { namespace } = pod;
        for (const claim of state.unbound) {
          const patch = { type: "merge", body: { metadata: { annotations: { [selectedNode]: nodeName } } } } as const;
          await client.patch(persistentVolumeClaims, { namespace, name: claim.metadata.name }, patch);
        }
        const isDone = (claim: PersistentVolumeClaim): boolean => {
          const now = claims.get(`${namespace}/${claim.metadata.name ?? ""}`);
          return now !== undefined && isBound(now);
        };
        return allBound(() => state.unbound.every(isDone));
      },
    };
  },
} as const satisfies PluginFactory;

const isBound = (claim: PersistentVolumeClaim): boolean =>
  (claim.spec?.volumeName ?? "") !== "" &&
  (claim.status?.phase === "Bound" || claim.metadata.annotations?.["pv.kubernetes.io/bind-completed"] !== undefined);

function reaches(volume: PersistentVolume, node: NodeState): boolean {
  const required = volume.spec?.nodeAffinity?.required;
  return required === undefined || nodeSelectorMatches(required, node);
}

interface ClaimName {
  readonly claimName: string;
  readonly ephemeral: boolean;
}

const claimNames = (pod: Pod): readonly ClaimName[] =>
  (pod.spec?.volumes ?? []).flatMap((volume): readonly ClaimName[] => {
    if (volume.persistentVolumeClaim !== undefined)
      return [{ claimName: volume.persistentVolumeClaim.claimName, ephemeral: false }];
    return volume.ephemeral !== undefined ? [{ claimName: `${pod.metadata.name ?? ""}-${volume.name}`, ephemeral: true }] : [];
  });

const uses = (pod: PodInfo, claim: Stored<PersistentVolumeClaim>): boolean =>
  claim.metadata.namespace === pod.namespace && claimNames(pod.pod).some(({ claimName }) => claimName === claim.metadata.name);
