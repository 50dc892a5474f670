// Whether and when an exited container starts again.
import type { Pod } from "#api";
import type { ContainerStatus } from "../runtime.ts";
import { type AnyContainer, restartPolicyOf } from "./spec.ts";

export interface Backoff {
  readonly delayMs: number;
  /** When the delay was last raised. */
  readonly updatedMs: number;
}

const crashBackoffLimits = { initialMs: 10_000, maxMs: 300_000 } as const;

/** The next entry after an attempt at `nowMs`: doubles, and begins anew after twice the maximum without trouble. */
export function raiseBackoff(
  before: Backoff | undefined,
  nowMs: number,
  limits: { initialMs: number; maxMs: number } = crashBackoffLimits,
): Backoff {
  if (before === undefined || nowMs - before.updatedMs > 2 * limits.maxMs) return { delayMs: limits.initialMs, updatedMs: nowMs };
  return { delayMs: Math.min(before.delayMs * 2, limits.maxMs), updatedMs: nowMs };
}

/** The moment from which a container that ended at `endedMs` may start again. */
export function backoffUntil(
  entry: Backoff | undefined,
  endedMs: number,
  limits: { maxMs: number } = crashBackoffLimits,
): number {
  if (entry === undefined || endedMs - entry.updatedMs > 2 * limits.maxMs) return endedMs;
  return endedMs + entry.delayMs;
}

/** Restart policy of the pod, overruled by the container's own policy and rules (KEP-5307). */
export function shouldRestart(pod: Pod, container: AnyContainer, role: "init" | "main" | "ephemeral", exitCode: number): boolean {
  if (role === "ephemeral") return false;
  for (const rule of container.restartPolicyRules ?? []) {
    if (rule.action === "Restart" && rule.exitCodes !== undefined) {
      const listed = (rule.exitCodes.values ?? []).includes(exitCode);
      if (rule.exitCodes.operator === "In" ? listed : !listed) return true;
    }
  }
  const policy = container.restartPolicy ?? restartPolicyOf(pod);
  if (policy === "Never") return false;
  if (policy === "OnFailure") return exitCode !== 0;
  // Always; for a plain init container that means: until it has succeeded.
  return role === "main" || container.restartPolicy === "Always" || exitCode !== 0;
}

/** By attempt: the newest container of this name comes first. */
export const newestFirst = (containers: readonly ContainerStatus[], name: string): readonly ContainerStatus[] =>
  containers
    .filter((container) => container.name === name)
    .sort((a, b) => b.attempt - a.attempt || b.createdAtMs - a.createdAtMs);

/** FNV-1a of what makes a container another one when it is changed in place (name and image). */
export function containerHash(container: AnyContainer): string {
  let hash = 0x811c9dc5;
  for (const byte of Buffer.from(JSON.stringify([container.name, container.image ?? ""])))
    hash = Math.imul(hash ^ byte, 0x01000193) >>> 0;
  return hash.toString(16);
}
