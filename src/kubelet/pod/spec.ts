// Small questions about a pod's spec.
import type { Container, EphemeralContainer, Pod } from "#api";

export type AnyContainer = Container | EphemeralContainer;
export type Role = "init" | "main" | "ephemeral";

export const isSidecar = (container: AnyContainer): boolean =>
  container.restartPolicy === "Always" && !("targetContainerName" in container);
export const initContainers = (pod: Pod): readonly Container[] => pod.spec.initContainers ?? [];
export const ephemeralContainers = (pod: Pod): readonly EphemeralContainer[] => pod.spec.ephemeralContainers ?? [];
export const sidecars = (pod: Pod): readonly Container[] => initContainers(pod).filter(isSidecar);
export const restartPolicyOf = (pod: Pod): string => pod.spec.restartPolicy ?? "Always";
export const isHostNetwork = (pod: Pod): boolean => pod.spec.hostNetwork === true;

export function findContainer(pod: Pod, name: string): { readonly container: AnyContainer; readonly role: Role } | undefined {
  for (const container of pod.spec.containers) if (container.name === name) return { container, role: "main" };
  for (const container of initContainers(pod)) if (container.name === name) return { container, role: "init" };
  for (const container of ephemeralContainers(pod)) if (container.name === name) return { container, role: "ephemeral" };
  return undefined;
}

/** A static pod, or the mirror of one in the API. */
export const isStatic = (pod: Pod): boolean => {
  const source = pod.metadata.annotations?.["kubernetes.io/config.source"];
  return source !== undefined && source !== "api";
};
export const isMirror = (pod: Pod): boolean => pod.metadata.annotations?.["kubernetes.io/config.mirror"] !== undefined;

export const isTerminalPhase = (phase: string | undefined): boolean => phase === "Succeeded" || phase === "Failed";
