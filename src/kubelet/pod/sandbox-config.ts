// What the runtime is told about a pod's sandbox.
import type { Pod } from "#api";
import type { KubeletOptions } from "../options.ts";
import type { SandboxConfig } from "../runtime.ts";
import { clusterDomainOf, dnsOf, hostnameOf } from "./dns.ts";
import { runtimeLabels } from "./names.ts";
import { qosClass } from "./qos.ts";
import { seccompOf } from "./security.ts";
import { initContainers, isHostNetwork } from "./spec.ts";

export const podLogDirectory = (pod: Pod, options: Pick<KubeletOptions, "podLogsDirectory">): string =>
  `${options.podLogsDirectory ?? "/var/log/pods"}/${pod.metadata.namespace}_${pod.metadata.name}_${pod.metadata.uid}`;

/** `runtimeHandler` is what the pod's RuntimeClass names, "" for the default. */
export function sandboxConfig(pod: Pod, attempt: number, options: KubeletOptions, runtimeHandler: string): SandboxConfig {
  const { metadata, spec } = pod;
  const security = spec.securityContext ?? {};
  const hostNetwork = isHostNetwork(pod);
  return {
    podName: metadata.name ?? "",
    podNamespace: metadata.namespace ?? "",
    podUid: metadata.uid ?? "",
    attempt,
    hostname: hostNetwork ? "" : hostnameOf(pod, clusterDomainOf(options)).hostname,
    logDirectory: podLogDirectory(pod, options),
    labels: {
      ...metadata.labels,
      [runtimeLabels.podName]: metadata.name ?? "",
      [runtimeLabels.podNamespace]: metadata.namespace ?? "",
      [runtimeLabels.podUid]: metadata.uid ?? "",
    },
    annotations: metadata.annotations ?? {},
    dns: dnsOf(pod, options),
    ports: hostNetwork
      ? []
      : [...initContainers(pod), ...spec.containers].flatMap((container) =>
          (container.ports ?? []).map((port) => ({
            protocol: (port.protocol ?? "TCP") as "TCP" | "UDP" | "SCTP", // validated by the API server
            containerPort: port.containerPort,
            hostPort: port.hostPort ?? 0,
            hostIp: port.hostIP ?? "",
          })),
        ),
    cgroupParent: cgroupParent(pod, options.cgroupRoot ?? ""),
    hostNetwork,
    hostPid: spec.hostPID === true,
    hostIpc: spec.hostIPC === true,
    shareProcessNamespace: spec.shareProcessNamespace === true,
    privileged: [...initContainers(pod), ...spec.containers].some((container) => container.securityContext?.privileged === true),
    sysctls: Object.fromEntries((security.sysctls ?? []).map(({ name, value }) => [name, value])),
    ...(security.runAsUser === undefined ? {} : { runAsUser: security.runAsUser }),
    ...(security.runAsGroup === undefined ? {} : { runAsGroup: security.runAsGroup }),
    supplementalGroups: [...(security.supplementalGroups ?? []), ...(security.fsGroup === undefined ? [] : [security.fsGroup])],
    seccomp: security.seccompProfile === undefined ? "RuntimeDefault" : seccompOf(security.seccompProfile),
    runtimeHandler,
    pod,
  };
}

function cgroupParent(pod: Pod, root: string): string {
  if (root === "") return "";
  const uid = `pod${pod.metadata.uid}`;
  const quality = qosClass(pod);
  return quality === "Guaranteed" ? `${root}/${uid}` : `${root}/${quality.toLowerCase()}/${uid}`;
}
