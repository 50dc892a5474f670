// NodeName: a pod that names a node fits only there.
import type { Plugin } from "../framework/plugin.ts";
import { success, unresolvable } from "../framework/verdict.ts";

const wrongNode = unresolvable("node(s) didn't match the requested node name");

export const nodeName = {
  name: "NodeName",
  requeueOn: [{ resource: "nodes", action: "Add" }],
  signature: ({ pod }) => pod.spec?.nodeName ?? "",
  filter: ({ pod }, node) =>
    pod.spec?.nodeName === undefined || pod.spec.nodeName === "" || pod.spec.nodeName === node.name ? success : wrongNode,
} as const satisfies Plugin;
