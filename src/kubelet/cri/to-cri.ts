// Our words into CRI's messages.
import type { ContainerConfig, LinuxResources, Mount, SandboxConfig } from "../runtime.ts";

const int64 = (value: number | undefined): { value: number } | undefined => (value === undefined ? undefined : { value });

function securityProfile(profile: SandboxConfig["seccomp"]): object {
  return typeof profile === "string" ? { profileType: profile } : { profileType: "Localhost", localhostRef: profile.localhost };
}

const pidMode = { pod: "POD", container: "CONTAINER", node: "NODE" } as const;
const propagation = {
  private: "PROPAGATION_PRIVATE",
  hostToContainer: "PROPAGATION_HOST_TO_CONTAINER",
  bidirectional: "PROPAGATION_BIDIRECTIONAL",
} as const;

export function sandboxToCri(config: SandboxConfig): object {
  const pid = config.hostPid ? "NODE" : config.shareProcessNamespace ? "POD" : "CONTAINER";
  return {
    metadata: { name: config.podName, uid: config.podUid, namespace: config.podNamespace, attempt: config.attempt },
    // a host-network sandbox shares the UTS namespace: the runtime refuses a hostname there
    hostname: config.hostNetwork ? "" : config.hostname,
    logDirectory: config.logDirectory,
    dnsConfig: config.dns,
    portMappings: config.ports
      .filter((port) => port.hostPort > 0)
      .map((port) => ({
        protocol: port.protocol,
        containerPort: port.containerPort,
        hostPort: port.hostPort,
        hostIp: port.hostIp,
      })),
    labels: config.labels,
    annotations: config.annotations,
    linux: {
      cgroupParent: config.cgroupParent,
      sysctls: config.sysctls,
      securityContext: {
        namespaceOptions: { network: config.hostNetwork ? "NODE" : "POD", pid, ipc: config.hostIpc ? "NODE" : "POD" },
        runAsUser: int64(config.runAsUser),
        runAsGroup: int64(config.runAsGroup),
        supplementalGroups: config.supplementalGroups,
        privileged: config.privileged,
        seccomp: securityProfile(config.seccomp),
      },
    },
  };
}

export function containerToCri(config: ContainerConfig, sandbox: SandboxConfig): object {
  const { security } = config;
  return {
    metadata: { name: config.name, attempt: config.attempt },
    image: { image: config.imageId, userSpecifiedImage: config.image },
    command: config.command,
    args: config.args,
    workingDir: config.workingDirectory,
    // the field is bytes since CRI of 1.36; the same on the wire as the string that older runtimes read
    envs: config.env.map(({ name, value }) => ({ key: name, value: Buffer.from(value) })),
    mounts: config.mounts.map(mountToCri),
    labels: config.labels,
    annotations: config.annotations,
    logPath: config.logPath,
    stdin: config.stdin,
    stdinOnce: config.stdinOnce,
    tty: config.tty,
    linux: {
      resources: resourcesToCri(config.resources),
      securityContext: {
        capabilities: { addCapabilities: security.addCapabilities, dropCapabilities: security.dropCapabilities },
        privileged: security.privileged,
        namespaceOptions: {
          network: sandbox.hostNetwork ? "NODE" : "POD",
          pid: pidMode[security.pidNamespace],
          ipc: sandbox.hostIpc ? "NODE" : "POD",
        },
        runAsUser: int64(security.runAsUser),
        runAsGroup: int64(security.runAsGroup),
        runAsUsername: security.runAsUserName ?? "",
        readonlyRootfs: security.readOnlyRootFilesystem,
        supplementalGroups: security.supplementalGroups,
        noNewPrivs: security.noNewPrivileges,
        maskedPaths: security.maskedPaths,
        readonlyPaths: security.readonlyPaths,
        seccomp: securityProfile(security.seccomp),
        apparmor: security.appArmor === undefined ? undefined : securityProfile(security.appArmor),
      },
    },
  };
}

export const resourcesToCri = (resources: LinuxResources): object => ({
  cpuShares: resources.cpuShares ?? 0,
  cpuQuota: resources.cpuQuota ?? 0,
  cpuPeriod: resources.cpuPeriod ?? 0,
  memoryLimitInBytes: resources.memoryLimitBytes ?? 0,
  oomScoreAdj: resources.oomScoreAdj ?? 0,
});

const mountToCri = (mount: Mount): object => ({
  hostPath: mount.hostPath,
  containerPath: mount.containerPath,
  readonly: mount.readOnly,
  propagation: propagation[mount.propagation],
});
