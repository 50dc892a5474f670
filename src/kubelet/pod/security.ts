// From securityContext (pod and container) to what the runtime is told.
import type { AppArmorProfile, Pod, SeccompProfile } from "#api";
import { appArmorProfile } from "../admit/app-armor.ts";
import type { ContainerConfig, Image } from "../runtime.ts";
import { CannotStart } from "./images.ts";
import { formatPod } from "./names.ts";
import type { AnyContainer } from "./spec.ts";

type Security = ContainerConfig["security"];

/** Throws CannotStart (CreateContainerConfigError) where runAsNonRoot does not hold. */
export function securityOf(pod: Pod, container: AnyContainer, image: Image): Security {
  const own = container.securityContext ?? {};
  const shared = pod.spec.securityContext ?? {};
  const runAsUser = own.runAsUser ?? shared.runAsUser;
  const runAsGroup = own.runAsGroup ?? shared.runAsGroup;
  const imageUser = image.user.split(":")[0] ?? "";
  if (own.runAsNonRoot ?? shared.runAsNonRoot) verifyNonRoot(pod, container, runAsUser, imageUser);

  const privileged = own.privileged === true;
  const isUnmasked = privileged || own.procMount === "Unmasked";
  const appArmor = appArmorProfile(pod, container);
  const profile = own.seccompProfile ?? shared.seccompProfile;
  const groups = [...(shared.supplementalGroups ?? []), ...(shared.fsGroup === undefined ? [] : [shared.fsGroup])];
  return {
    privileged,
    addCapabilities: own.capabilities?.add ?? [],
    dropCapabilities: own.capabilities?.drop ?? [],
    ...userOf(runAsUser, imageUser),
    ...(runAsGroup === undefined ? {} : { runAsGroup }),
    supplementalGroups: groups,
    readOnlyRootFilesystem: own.readOnlyRootFilesystem === true,
    noNewPrivileges: own.allowPrivilegeEscalation === false,
    seccomp: privileged ? "Unconfined" : seccompOf(profile),
    ...(appArmor === undefined ? {} : { appArmor: confinementOf(appArmor) }),
    maskedPaths: isUnmasked ? [] : maskedPaths,
    readonlyPaths: isUnmasked ? [] : readonlyPaths,
    pidNamespace: pod.spec.hostPID ? "node" : pod.spec.shareProcessNamespace ? "pod" : "container",
  };
}

function userOf(runAsUser: number | undefined, imageUser: string): Pick<Security, "runAsUser" | "runAsUserName"> {
  if (runAsUser !== undefined) return { runAsUser };
  if (imageUser === "") return {};
  return /^\d+$/.test(imageUser) ? { runAsUser: Number(imageUser) } : { runAsUserName: imageUser };
}

function verifyNonRoot(pod: Pod, container: AnyContainer, runAsUser: number | undefined, imageUser: string): void {
  const where = `(pod: "${formatPod(pod)}", container: ${container.name})`;
  const refuse = (why: string): never => {
    throw new CannotStart("CreateContainerConfigError", `${why} ${where}`);
  };
  if (runAsUser !== undefined) {
    if (runAsUser === 0) refuse("container's runAsUser breaks non-root policy");
  } else if (imageUser === "" || imageUser === "0") refuse("container has runAsNonRoot and image will run as root");
  else if (!/^\d+$/.test(imageUser))
    refuse(`container has runAsNonRoot and image has non-numeric user (${imageUser}), cannot verify user is non-root`);
}

export const seccompOf = (profile: SeccompProfile | undefined): Security["seccomp"] => confinementOf(profile);

function confinementOf(profile: SeccompProfile | AppArmorProfile | undefined): Security["seccomp"] {
  if (profile?.type === "RuntimeDefault") return "RuntimeDefault";
  return profile?.type === "Localhost" && profile.localhostProfile !== undefined
    ? { localhost: profile.localhostProfile }
    : "Unconfined";
}

const maskedPaths = [
  "/proc/asound",
  "/proc/acpi",
  "/proc/kcore",
  "/proc/keys",
  "/proc/latency_stats",
  "/proc/timer_list",
  "/proc/timer_stats",
  "/proc/sched_debug",
  "/proc/scsi",
  "/sys/firmware",
  "/sys/devices/virtual/powercap",
];
const readonlyPaths = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"];
