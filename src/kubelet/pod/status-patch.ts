// The strategic merge patch that turns one pod status into another.

import { isDeepStrictEqual } from "node:util";
import type { JsonObject, JsonValue, PodCondition, PodStatus } from "#api";

/** Undefined when nothing differs. Lists without a merge key (container statuses) travel whole; conditions by type. */
export function statusPatch(uid: string, before: PodStatus | undefined, after: PodStatus): JsonObject | undefined {
  const status: Record<string, JsonValue> = {};
  const old = (before ?? {}) as Readonly<Record<string, JsonValue>>;
  const wanted = after as Readonly<Record<string, JsonValue | undefined>>;
  for (const key of ownedFields) {
    const value = wanted[key];
    if (isDeepStrictEqual(value, old[key])) continue;
    if (key === "conditions") {
      const changed = changedConditions(before?.conditions ?? [], after.conditions ?? []);
      if (changed.length === 0) continue;
      status["$setElementOrder/conditions"] = (after.conditions ?? []).map(({ type }) => ({ type }));
      status["conditions"] = changed;
    } else if (key === "podIPs" || key === "hostIPs") {
      // Merged by ip: those that are gone have to be named.
      const list = (value ?? []) as readonly { readonly ip: string }[];
      const gone = ((old[key] ?? []) as readonly { readonly ip: string }[]).filter(
        (item) => !list.some((other) => other.ip === item.ip),
      );
      if (list.length > 0) status[`$setElementOrder/${key}`] = list.map(({ ip }) => ({ ip }));
      status[key] = [...gone.map(({ ip }) => ({ $patch: "delete", ip })), ...list.map(({ ip }) => ({ ip }))];
    } else {
      status[key] = value ?? null;
    }
  }
  return Object.keys(status).length === 0 ? undefined : { metadata: { uid }, status };
}

/** What a kubelet writes; the rest of a status belongs to others (resize, resource claims, nominatedNodeName). */
const ownedFields = [
  "observedGeneration",
  "phase",
  "conditions",
  "message",
  "reason",
  "hostIP",
  "hostIPs",
  "podIP",
  "podIPs",
  "startTime",
  "initContainerStatuses",
  "containerStatuses",
  "ephemeralContainerStatuses",
  "qosClass",
] as const;

/** Conditions are merged by type, field by field: what a condition no longer has must be set to null. Those of others are left alone, also where we have not seen them yet. */
function changedConditions(before: readonly PodCondition[], after: readonly PodCondition[]): JsonValue[] {
  const changed: JsonValue[] = [];
  for (const condition of after) {
    const old = before.find((item) => item.type === condition.type);
    if (old !== undefined && isDeepStrictEqual(withoutProbeTime(old), withoutProbeTime(condition))) continue;
    const dropped = Object.keys(old === undefined ? {} : withoutProbeTime(old)).filter((key) => !(key in condition));
    changed.push({ ...condition, ...Object.fromEntries(dropped.map((key) => [key, null])) } as unknown as JsonValue); // plain JSON: conditions hold strings and numbers only
  }
  return changed;
}

const withoutProbeTime = ({ lastProbeTime: _ignored, ...condition }: PodCondition): Omit<PodCondition, "lastProbeTime"> =>
  condition;
