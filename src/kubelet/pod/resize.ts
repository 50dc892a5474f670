// Resizing a running container in place (KEP-1287): what it has, what it should have, and whether that needs a restart.
import type { ResourceRequirements } from "#api";
import type { ContainerStatus } from "../runtime.ts";
import { runtimeAnnotations } from "./names.ts";
import type { AnyContainer } from "./spec.ts";

/** The same text for the same resources, whatever the order of their names. */
export const resourcesText = (container: AnyContainer): string => {
  const { requests, limits } = container.resources ?? {};
  const sorted = (list: ResourceRequirements["requests"]) => Object.entries(list ?? {}).sort(([a], [b]) => (a < b ? -1 : 1));
  return JSON.stringify([sorted(requests), sorted(limits)]);
};

/** Undefined for a container that does not say what it was started with. `resized` holds what was applied since, by container id. */
export const appliedResources = (current: ContainerStatus, resized: ReadonlyMap<string, string>): string | undefined =>
  resized.get(current.id) ?? current.annotations[runtimeAnnotations.resources];

/** "none": it has what it should have. */
export function resizeOf(container: AnyContainer, applied: string | undefined): "none" | "in place" | "restart" {
  const wanted = resourcesText(container);
  if (applied === undefined || applied === wanted) return "none";
  const [before, after] = [parse(applied), parse(wanted)];
  for (const { resourceName, restartPolicy } of container.resizePolicy ?? []) {
    const changed =
      before.requests[resourceName] !== after.requests[resourceName] ||
      before.limits[resourceName] !== after.limits[resourceName];
    if (restartPolicy === "RestartContainer" && changed) return "restart";
  }
  return "in place";
}

/** The applied resources as a status shows them. */
export function parse(text: string): { readonly requests: Record<string, string>; readonly limits: Record<string, string> } {
  const [requests, limits] = JSON.parse(text) as [[string, string][], [string, string][]]; // written by resourcesText
  return { requests: Object.fromEntries(requests), limits: Object.fromEntries(limits) };
}
