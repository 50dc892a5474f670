// NodeUnschedulable: cordoned nodes take no new pods, except those that tolerate it.
import type { Node } from "#api";
import type { Plugin } from "../framework/plugin.ts";
import { success, unresolvable } from "../framework/verdict.ts";
import { toleratesAny } from "./taints.ts";

const cordoned = unresolvable("node(s) were unschedulable");
const taint = { key: "node.kubernetes.io/unschedulable", effect: "NoSchedule" };

export const nodeUnschedulable = {
  name: "NodeUnschedulable",
  requeueOn: [
    { resource: "nodes", action: "Add" },
    { resource: "nodes", action: "Update", ever: ({ after }) => (after as Node).spec?.unschedulable !== true },
  ],
  signature: ({ pod }) => (toleratesAny(pod.spec?.tolerations, taint) ? "tolerates" : ""),
  filter: ({ pod }, node) =>
    node.node?.spec?.unschedulable === true && !toleratesAny(pod.spec?.tolerations, taint) ? cordoned : success,
} as const satisfies Plugin;
