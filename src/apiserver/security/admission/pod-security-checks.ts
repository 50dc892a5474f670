// The checks of the Pod Security Standards: what each forbids, since which version, in upstream's words. Pure.
import type { Container, PodSpec, SecurityContext, Volume } from "#api";

export interface Violation {
  /** "host namespaces" */
  readonly reason: string;
  /** "hostNetwork=true" */
  readonly detail: string;
}

/** `version`: minor of the policy's version; the checks change what they allow with it. */
type Check = (spec: PodSpec, version: number) => Violation | undefined;

interface Entry {
  readonly since: number;
  readonly check: Check;
}

/** The minor version that "latest" means. */
export const latestVersion = 36;

/** What is wrong with a pod at this level: the checks of "baseline", and those of "restricted" after them. */
export function violationsOf(spec: PodSpec, level: "baseline" | "restricted", version: number): readonly Violation[] {
  const at = Math.min(version, latestVersion);
  const checks = level === "baseline" ? baseline : [...baseline.filter((entry) => !replaced(at).includes(entry)), ...restricted];
  return checks.flatMap(({ since, check }) => (at < since ? [] : (check(spec, at) ?? [])));
}

/** All containers in the order in which they are named: init, regular, ephemeral. */
const containersOf = (spec: PodSpec): readonly Container[] => [
  ...(spec.initContainers ?? []),
  ...spec.containers,
  ...((spec.ephemeralContainers ?? []) as readonly Container[]), // has what is read here
];

const quoted = (names: readonly string[]): string => names.map((name) => JSON.stringify(name)).join(", ");
const unique = (values: readonly string[]): readonly string[] => [...new Set(values)].sort();
const named = (containers: readonly Container[]): string =>
  `${containers.length === 1 ? "container" : "containers"} ${quoted(containers.map((container) => container.name))}`;

/** "pod", `container "c"`, `pod and containers "a", "b"`. */
function setters(isPod: boolean, containers: readonly Container[], and = "and"): string {
  return [...(isPod ? ["pod"] : []), ...(containers.length === 0 ? [] : [named(containers)])].join(` ${and} `);
}

const violation = (reason: string, detail: string): Violation => ({ reason, detail });
const isWindows = (spec: PodSpec): boolean => spec.os?.name === "windows";

const hostNamespaces: Check = (spec) => {
  const shared = (["hostNetwork", "hostPID", "hostIPC"] as const).filter((field) => spec[field] === true);
  return shared.length === 0 ? undefined : violation("host namespaces", shared.map((field) => `${field}=true`).join(", "));
};

const offending = (spec: PodSpec, isBad: (context: SecurityContext, container: Container) => boolean): readonly Container[] =>
  containersOf(spec).filter((container) => isBad(container.securityContext ?? {}, container));

const privileged: Check = (spec) => {
  const bad = offending(spec, (context) => context.privileged === true);
  return bad.length === 0 ? undefined : violation("privileged", `${named(bad)} must not set securityContext.privileged=true`);
};

const defaultCapabilities = new Set([
  "AUDIT_WRITE",
  "CHOWN",
  "DAC_OVERRIDE",
  "FOWNER",
  "FSETID",
  "KILL",
  "MKNOD",
  "NET_BIND_SERVICE",
  "SETFCAP",
  "SETGID",
  "SETPCAP",
  "SETUID",
  "SYS_CHROOT",
]);

function addedBeyond(spec: PodSpec, allowed: ReadonlySet<string>): string | undefined {
  const beyond = (context: SecurityContext): readonly string[] =>
    (context.capabilities?.add ?? []).filter((name) => !allowed.has(name));
  const bad = offending(spec, (context) => beyond(context).length > 0);
  if (bad.length === 0) return undefined;
  const names = unique(bad.flatMap((container) => beyond(container.securityContext ?? {})));
  return `${named(bad)} must not include ${quoted(names)} in securityContext.capabilities.add`;
}

const capabilitiesBaseline: Check = (spec) => {
  const detail = addedBeyond(spec, defaultCapabilities);
  return detail === undefined ? undefined : violation("non-default capabilities", detail);
};

const hostPathVolumes: Check = (spec) => {
  const bad = (spec.volumes ?? []).filter((volume) => volume.hostPath !== undefined);
  if (bad.length === 0) return undefined;
  return violation("hostPath volumes", `${bad.length === 1 ? "volume" : "volumes"} ${quoted(bad.map((volume) => volume.name))}`);
};

const hostPorts: Check = (spec) => {
  const used = (container: Container): readonly number[] =>
    (container.ports ?? []).map((port) => port.hostPort ?? 0).filter((port) => port !== 0);
  const bad = containersOf(spec).filter((container) => used(container).length > 0);
  if (bad.length === 0) return undefined;
  const ports = unique(bad.flatMap(used).map(String));
  return violation(
    "hostPort",
    `${named(bad)} ${bad.length === 1 ? "uses" : "use"} ${ports.length === 1 ? "hostPort" : "hostPorts"} ${ports.join(", ")}`,
  );
};

const probeHosts: Check = (spec) => {
  const hosts = (container: Container): readonly string[] =>
    [
      container.livenessProbe,
      container.readinessProbe,
      container.startupProbe,
      container.lifecycle?.postStart,
      container.lifecycle?.preStop,
    ].flatMap((handler) =>
      [handler?.httpGet?.host, handler?.tcpSocket?.host].filter((host): host is string => host !== undefined && host !== ""),
    );
  const bad = containersOf(spec).filter((container) => hosts(container).length > 0);
  if (bad.length === 0) return undefined;
  const all = unique(bad.flatMap(hosts));
  return violation(
    "probe or lifecycle host",
    `${named(bad)} ${bad.length === 1 ? "uses" : "use"} probe or lifecycle ${all.length === 1 ? "host" : "hosts"} ${quoted(all)}`,
  );
};

const appArmor: Check = (spec) => {
  const isBad = (profile: SecurityContext["appArmorProfile"]): boolean =>
    profile !== undefined && profile.type !== "RuntimeDefault" && profile.type !== "Localhost";
  const inPod = isBad(spec.securityContext?.appArmorProfile);
  const bad = offending(spec, (context) => isBad(context.appArmorProfile));
  if (!inPod && bad.length === 0) return undefined;
  const types = unique([
    ...(inPod ? [spec.securityContext?.appArmorProfile?.type ?? ""] : []),
    ...bad.map((container) => container.securityContext?.appArmorProfile?.type ?? ""),
  ]);
  return violation(
    `forbidden AppArmor ${types.length === 1 ? "profile" : "profiles"}`,
    `${setters(inPod, bad)} must not set AppArmor profile type to ${quoted(types)}`,
  );
};

const procMount: Check = (spec, version) => {
  if (version >= userNamespacesSince && spec.hostUsers === false) return undefined;
  const isBad = (context: SecurityContext): boolean =>
    context.procMount !== undefined && context.procMount !== null && context.procMount !== "Default";
  const bad = offending(spec, isBad);
  if (bad.length === 0) return undefined;
  const types = unique(bad.map((container) => container.securityContext?.procMount ?? ""));
  return violation("procMount", `${named(bad)} must not set securityContext.procMount to ${quoted(types)}`);
};

// KEP-127: root in a user namespace of its own is nobody on the node.
const userNamespacesSince = 35;

const seLinuxTypes = ["", "container_t", "container_init_t", "container_kvm_t"];

const seLinuxOptions: Check = (spec, version) => {
  const allowed = version >= 31 ? [...seLinuxTypes, "container_engine_t"] : seLinuxTypes;
  const isBad = (options: SecurityContext["seLinuxOptions"]): boolean =>
    options !== undefined &&
    (!allowed.includes(options.type ?? "") || (options.user ?? "") !== "" || (options.role ?? "") !== "");
  const inPod = isBad(spec.securityContext?.seLinuxOptions);
  const bad = offending(spec, (context) => isBad(context.seLinuxOptions));
  if (!inPod && bad.length === 0) return undefined;
  const all = [
    ...(inPod ? [spec.securityContext?.seLinuxOptions] : []),
    ...bad.map((container) => container.securityContext?.seLinuxOptions),
  ];
  const types = unique(all.map((options) => options?.type ?? "").filter((type) => !allowed.includes(type)));
  const parts = [
    ...(types.length === 0 ? [] : [`${types.length === 1 ? "type" : "types"} ${quoted(types)}`]),
    ...(all.some((options) => (options?.user ?? "") !== "") ? ["user may not be set"] : []),
    ...(all.some((options) => (options?.role ?? "") !== "") ? ["role may not be set"] : []),
  ];
  return violation("seLinuxOptions", `${setters(inPod, bad)} set forbidden securityContext.seLinuxOptions: ${parts.join("; ")}`);
};

type Seccomp = SecurityContext["seccompProfile"];
const isGoodSeccomp = (profile: Seccomp): boolean => profile?.type === "RuntimeDefault" || profile?.type === "Localhost";
const isBadSeccomp = (profile: Seccomp): boolean => profile?.type !== undefined && !isGoodSeccomp(profile);

const seccompBaseline: Check = (spec) => {
  const inPod = isBadSeccomp(spec.securityContext?.seccompProfile);
  const bad = offending(spec, (context) => isBadSeccomp(context.seccompProfile));
  if (!inPod && bad.length === 0) return undefined;
  const types = unique([
    ...(inPod ? [spec.securityContext?.seccompProfile?.type ?? ""] : []),
    ...bad.map((container) => container.securityContext?.seccompProfile?.type ?? ""),
  ]);
  return violation(
    "seccompProfile",
    `${setters(inPod, bad)} must not set securityContext.seccompProfile.type to ${quoted(types)}`,
  );
};

const sysctlsSince: readonly (readonly [since: number, names: readonly string[]])[] = [
  [
    0,
    [
      "kernel.shm_rmid_forced",
      "net.ipv4.ip_local_port_range",
      "net.ipv4.tcp_syncookies",
      "net.ipv4.ping_group_range",
      "net.ipv4.ip_unprivileged_port_start",
    ],
  ],
  [27, ["net.ipv4.ip_local_reserved_ports"]],
  [
    29,
    ["net.ipv4.tcp_keepalive_time", "net.ipv4.tcp_fin_timeout", "net.ipv4.tcp_keepalive_intvl", "net.ipv4.tcp_keepalive_probes"],
  ],
  [32, ["net.ipv4.tcp_rmem", "net.ipv4.tcp_wmem"]],
];

const sysctls: Check = (spec, version) => {
  const allowed = sysctlsSince.flatMap(([since, names]) => (version >= since ? names : []));
  const bad = (spec.securityContext?.sysctls ?? []).map(({ name }) => name).filter((name) => !allowed.includes(name));
  return bad.length === 0 ? undefined : violation("forbidden sysctls", bad.join(", "));
};

const hostProcess: Check = (spec) => {
  const inPod = spec.securityContext?.windowsOptions?.hostProcess === true;
  const bad = offending(spec, (context) => context.windowsOptions?.hostProcess === true);
  if (!inPod && bad.length === 0) return undefined;
  return violation("hostProcess", `${setters(inPod, bad)} must not set securityContext.windowsOptions.hostProcess=true`);
};

const allowPrivilegeEscalation: Check = (spec, version) => {
  if (version >= 25 && isWindows(spec)) return undefined;
  const bad = offending(spec, (context) => context.allowPrivilegeEscalation !== false);
  if (bad.length === 0) return undefined;
  return violation("allowPrivilegeEscalation != false", `${named(bad)} must set securityContext.allowPrivilegeEscalation=false`);
};

const capabilitiesRestricted: Check = (spec, version) => {
  if (version >= 25 && isWindows(spec)) return undefined;
  const kept = offending(spec, (context) => !(context.capabilities?.drop ?? []).includes("ALL"));
  const added = addedBeyond(spec, new Set(["NET_BIND_SERVICE"]));
  const parts = [
    ...(kept.length === 0 ? [] : [`${named(kept)} must set securityContext.capabilities.drop=["ALL"]`]),
    ...(added === undefined ? [] : [added]),
  ];
  return parts.length === 0 ? undefined : violation("unrestricted capabilities", parts.join("; "));
};

const allowedVolumes = new Set([
  "configMap",
  "csi",
  "downwardAPI",
  "emptyDir",
  "ephemeral",
  "image",
  "persistentVolumeClaim",
  "projected",
  "secret",
]);
const typeOf = (volume: Volume): string =>
  Object.keys(volume).find((key) => key !== "name" && volume[key as keyof Volume] !== undefined) ?? "emptyDir";

const restrictedVolumes: Check = (spec) => {
  const bad = (spec.volumes ?? []).filter((volume) => !allowedVolumes.has(typeOf(volume)));
  if (bad.length === 0) return undefined;
  const types = unique(bad.map(typeOf));
  const who = `${bad.length === 1 ? "volume" : "volumes"} ${quoted(bad.map((volume) => volume.name))} ${bad.length === 1 ? "uses" : "use"}`;
  return violation(
    "restricted volume types",
    `${who} restricted volume ${types.length === 1 ? "type" : "types"} ${quoted(types)}`,
  );
};

const runAsNonRoot: Check = (spec, version) => {
  if (version >= userNamespacesSince && spec.hostUsers === false) return undefined;
  const ofPod = spec.securityContext?.runAsNonRoot;
  const inPod = ofPod === false;
  const bad = offending(spec, (context) => context.runAsNonRoot === false);
  if (inPod || bad.length > 0)
    return violation("runAsNonRoot != true", `${setters(inPod, bad)} must not set securityContext.runAsNonRoot=false`);
  const silent = ofPod === true ? [] : offending(spec, (context) => context.runAsNonRoot !== true);
  return silent.length === 0
    ? undefined
    : violation("runAsNonRoot != true", `${setters(true, silent, "or")} must set securityContext.runAsNonRoot=true`);
};

const runAsUser: Check = (spec, version) => {
  if (version >= userNamespacesSince && spec.hostUsers === false) return undefined;
  const inPod = spec.securityContext?.runAsUser === 0;
  const bad = offending(spec, (context) => context.runAsUser === 0);
  return inPod || bad.length > 0 ? violation("runAsUser=0", `${setters(inPod, bad)} must not set runAsUser=0`) : undefined;
};

const seccompRestricted: Check = (spec, version) => {
  if (version >= 25 && isWindows(spec)) return undefined;
  const explicit = seccompBaseline(spec, version);
  if (explicit !== undefined) return explicit;
  const silent = isGoodSeccomp(spec.securityContext?.seccompProfile)
    ? []
    : offending(spec, (context) => !isGoodSeccomp(context.seccompProfile));
  if (silent.length === 0) return undefined;
  return violation(
    "seccompProfile",
    `${setters(true, silent, "or")} must set securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost"`,
  );
};

const entry = (since: number, check: Check): Entry => ({ since, check });
const capabilitiesEntry = entry(0, capabilitiesBaseline);
const hostPathEntry = entry(0, hostPathVolumes);
const seccompEntry = entry(19, seccompBaseline);

// In the order of upstream's names for them, which is the order of the message.
const baseline: readonly Entry[] = [
  entry(0, appArmor),
  capabilitiesEntry,
  entry(0, hostNamespaces),
  hostPathEntry,
  entry(0, hostPorts),
  entry(34, probeHosts),
  entry(0, privileged),
  entry(0, procMount),
  seccompEntry,
  entry(0, seLinuxOptions),
  entry(0, sysctls),
  entry(0, hostProcess),
];
const restricted: readonly Entry[] = [
  entry(8, allowPrivilegeEscalation),
  entry(22, capabilitiesRestricted),
  entry(0, restrictedVolumes),
  entry(0, runAsNonRoot),
  entry(23, runAsUser),
  entry(19, seccompRestricted),
];

/** Checks of baseline whose place a stricter one of restricted takes, from the version on that has it. */
const replaced = (version: number): readonly Entry[] => [
  hostPathEntry,
  ...(version >= 22 ? [capabilitiesEntry] : []),
  ...(version >= 19 ? [seccompEntry] : []),
];
