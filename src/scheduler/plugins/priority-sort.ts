// PrioritySort: higher priority first, then who has waited longer.
import type { Plugin } from "../framework/plugin.ts";

export const prioritySort = {
  name: "PrioritySort",
  less: (a, b) => {
    if (a.pod.priority !== b.pod.priority) return a.pod.priority > b.pod.priority;
    return a.queuedAtMs !== b.queuedAtMs ? a.queuedAtMs < b.queuedAtMs : a.order < b.order;
  },
} as const satisfies Plugin;
