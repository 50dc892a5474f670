// AppArmor: which profile a container asks for, and whether this host can hold it to one.
import type { AppArmorProfile, Pod } from "#api";
import type { Files } from "#base";
import { type AnyContainer, initContainers } from "../pod/spec.ts";
import type { Rejection } from "./admit.ts";

/** The container's own, else its pod's; undefined: the runtime's choice. */
export const appArmorProfile = (pod: Pod, container: AnyContainer): AppArmorProfile | undefined =>
  container.securityContext?.appArmorProfile ?? pod.spec.securityContext?.appArmorProfile;

export async function hasAppArmor(files: Files): Promise<boolean> {
  if ((await files.stat("/sys/kernel/security/apparmor")) === undefined) return false;
  const enabled = await files.read("/sys/module/apparmor/parameters/enabled").catch(() => Buffer.alloc(0));
  return enabled.toString().startsWith("Y");
}

/** A pod that asks for confinement must not run without. */
export function enforcesAppArmor(pod: Pod, isEnabled: boolean): Rejection | undefined {
  if (isEnabled) return undefined;
  const asks = [...initContainers(pod), ...pod.spec.containers].some((container) => {
    const profile = appArmorProfile(pod, container);
    return profile !== undefined && profile.type !== "Unconfined";
  });
  return asks ? { reason: "AppArmor", message: "Cannot enforce AppArmor: AppArmor is not enabled on the host" } : undefined;
}
