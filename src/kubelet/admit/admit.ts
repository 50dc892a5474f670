// May this pod run on this node? The kubelet's own check, for pods that no scheduler or an outdated one has placed here.
import { isExtendedResource, type Node, type Pod, podAllowsNode, selectableNode, type Taint, type Toleration } from "#api";
import { initContainers, isStatic } from "../pod/spec.ts";
import { enforcesAppArmor } from "./app-armor.ts";
import { amountOf, podRequests } from "./requests.ts";

export interface Rejection {
  readonly reason: string;
  readonly message: string;
}

/** What the machine below the node can do. */
export interface HostFacts {
  readonly hasAppArmor: boolean;
}

/** `others` are the pods of this node that are not finished. Undefined: welcome. */
export function admit(pod: Pod, others: readonly Pod[], node: Node, host: HostFacts): Rejection | undefined {
  return (
    allowedSysctls(pod) ??
    fits(pod, others, node) ??
    matches(pod, node) ??
    freePorts(pod, others) ??
    tolerates(pod, node) ??
    enforcesAppArmor(pod, host.hasAppArmor)
  );
}

/** Kernel settings that belong to a pod alone and cannot harm its neighbours: upstream's list. */
const safeSysctls = new Set([
  "kernel.shm_rmid_forced",
  "net.ipv4.ip_local_port_range",
  "net.ipv4.tcp_syncookies",
  "net.ipv4.ping_group_range",
  "net.ipv4.ip_unprivileged_port_start",
  "net.ipv4.ip_local_reserved_ports",
  "net.ipv4.tcp_keepalive_time",
  "net.ipv4.tcp_fin_timeout",
  "net.ipv4.tcp_keepalive_intvl",
  "net.ipv4.tcp_keepalive_probes",
  "net.ipv4.tcp_rmem",
  "net.ipv4.tcp_wmem",
]);

function allowedSysctls(pod: Pod): Rejection | undefined {
  for (const { name } of pod.spec.securityContext?.sysctls ?? []) {
    const dotted = name.replaceAll("/", ".");
    if (!safeSysctls.has(dotted)) return { reason: "SysctlForbidden", message: `forbidden sysctl: "${name}" not allowlisted` };
    if (pod.spec.hostNetwork && dotted.startsWith("net."))
      return { reason: "SysctlForbidden", message: `forbidden sysctl: "${name}" not allowed with host net enabled` };
  }
  return undefined;
}

function fits(pod: Pod, others: readonly Pod[], node: Node): Rejection | undefined {
  const allocatable = node.status?.allocatable ?? {};
  const most = Number(allocatable["pods"] ?? 110);
  if (others.length + 1 > most) return outOf("pods", 1, others.length, most);
  for (const [name, requested] of podRequests(pod)) {
    if (requested === 0) continue;
    // one that the node does not report (yet) was the scheduler's business: it may be counted elsewhere
    if (isExtendedResource(name) && allocatable[name] === undefined) continue;
    const capacity = amountOf(name, allocatable[name] ?? 0);
    const used = others.reduce((sum, other) => sum + (podRequests(other).get(name) ?? 0), 0);
    if (requested > capacity - used) return outOf(name, requested, used, capacity);
  }
  return undefined;
}

const outOf = (resource: string, requested: number, used: number, capacity: number): Rejection => ({
  reason: `OutOf${resource}`,
  message: `Node didn't have enough resource: ${resource}, requested: ${requested}, used: ${used}, capacity: ${capacity}`,
});

function matches(pod: Pod, node: Node): Rejection | undefined {
  if (podAllowsNode(pod.spec, selectableNode(node))) return undefined;
  return { reason: "NodeAffinity", message: "Predicate NodeAffinity failed: node(s) didn't match Pod's node affinity/selector" };
}

function freePorts(pod: Pod, others: readonly Pod[]): Rejection | undefined {
  const taken = others.flatMap(hostPorts);
  const clash = hostPorts(pod).some((wanted) =>
    taken.some(
      (port) =>
        port.port === wanted.port &&
        port.protocol === wanted.protocol &&
        (port.ip === wanted.ip || port.ip === anyIp || wanted.ip === anyIp),
    ),
  );
  return clash
    ? { reason: "NodePorts", message: "Predicate NodePorts failed: node(s) didn't have free ports for the requested pod ports" }
    : undefined;
}

const anyIp = "0.0.0.0";

const hostPorts = (pod: Pod): readonly { readonly port: number; readonly protocol: string; readonly ip: string }[] =>
  [...initContainers(pod), ...pod.spec.containers].flatMap((container) =>
    (container.ports ?? [])
      .filter((port) => (port.hostPort ?? 0) > 0)
      .map((port) => ({
        port: port.hostPort ?? 0,
        protocol: port.protocol ?? "TCP",
        ip: port.hostIP === undefined || port.hostIP === "" ? anyIp : port.hostIP,
      })),
  );

function tolerates(pod: Pod, node: Node): Rejection | undefined {
  if (isStatic(pod)) return undefined;
  const taints = (node.spec?.taints ?? []).filter((taint) => taint.effect === "NoExecute");
  if (taints.every((taint) => (pod.spec.tolerations ?? []).some((toleration) => isTolerated(taint, toleration))))
    return undefined;
  return {
    reason: "TaintToleration",
    message: "Predicate TaintToleration failed: node(s) had taints that the pod didn't tolerate",
  };
}

function isTolerated(taint: Taint, toleration: Toleration): boolean {
  if (toleration.effect !== undefined && toleration.effect !== "" && toleration.effect !== taint.effect) return false;
  if (toleration.key !== undefined && toleration.key !== "" && toleration.key !== taint.key) return false;
  return (
    toleration.operator === "Exists" ||
    (toleration.key !== undefined && toleration.key !== "" && (toleration.value ?? "") === (taint.value ?? ""))
  );
}
