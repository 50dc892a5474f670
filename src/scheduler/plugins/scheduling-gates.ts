// SchedulingGates: a pod with gates is not queued (KEP-3521).
import type { Plugin } from "../framework/plugin.ts";
import { success, unresolvable } from "../framework/verdict.ts";

export const schedulingGates = {
  name: "SchedulingGates",
  preEnqueue: ({ pod }) => {
    const gates = pod.spec?.schedulingGates ?? [];
    return gates.length === 0
      ? success
      : unresolvable(`waiting for scheduling gates: [${gates.map((gate) => gate.name).join(" ")}]`);
  },
} as const satisfies Plugin;
