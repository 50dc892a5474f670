// A dedicated control-plane node, marked as kubeadm marks it: labels for its role, and a taint that keeps ordinary pods away.
import { isConflict, nodes, type Taint } from "#api";
import type { Client } from "#client";

const role = "node-role.kubernetes.io/control-plane";

/** The node registers with it, so that no pod is faster. */
export const controlPlaneTaint: Taint = { key: role, effect: "NoSchedule" };

const labels = { [role]: "", "node.kubernetes.io/exclude-from-external-load-balancers": "" };

/** A node may not give itself a role (NodeRestriction), so an administrator does. What else is on the node stays. */
export async function markControlPlane(client: Client, name: string): Promise<void> {
  for (;;) {
    const node = await client.get(nodes, { name });
    const taints = node.spec?.taints ?? [];
    const isTainted = taints.some(({ key, effect }) => key === controlPlaneTaint.key && effect === controlPlaneTaint.effect);
    try {
      await client.update(nodes, {
        ...node,
        metadata: { ...node.metadata, labels: { ...node.metadata.labels, ...labels } },
        spec: { ...node.spec, taints: isTainted ? taints : [...taints, controlPlaneTaint] },
      });
      return;
    } catch (error) {
      if (!isConflict(error)) throw error;
    }
  }
}
