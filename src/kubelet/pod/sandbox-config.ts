// What the runtime is told about a pod's sandbox.
import type { Pod } from "#api";
import type { KubeletOptions } from "../options.ts";
import type { SandboxConfig } from "../runtime.ts";
import { clusterDomainOf, dnsOf, hostnameOf } from "./dns.ts";
import { runtimeLabels } from "./names.ts";
import { seccompOf } from "./security.ts";
import { initContainers, isHostNetwork } from "./spec.ts";

export const podLogDirectory = (pod: Pod, options: Pick<KubeletOptions, "podLogsDirectory">): string =>
  `${options.podLogsDirectory ?? "/var/log/pods"}/${pod.metadata.namespace}_${pod.metadata.name}_${pod.metadata.uid}`;

export interface SandboxFacts {
  readonly attempt: number;
  readonly options: KubeletOptions;
  /** What the pod's RuntimeClass names, "" for the default. */
  readonly runtimeHandler: string;
  /** "" for what the runtime likes. */
  readonly cgroupParent: string;
}

export function sandboxConfig(pod: Pod, { attempt, options, runtimeHandler, cgroupParent }: SandboxFacts): SandboxConfig {
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
    cgroupParent,
    hostNetwork,
    hostPid: spec.hostPID === true,
    hostIpc: spec.hostIPC === true,
    hostUsers: spec.hostUsers !== false,
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
