// NodePorts: a host port can be taken once per node, protocol and address.
import type { Pod } from "#api";
import type { Plugin } from "../framework/plugin.ts";
import { skip, success, unschedulable } from "../framework/verdict.ts";

const taken = unschedulable("node(s) didn't have free ports for the requested pod ports");

const hasHostPort = (pod: Pod): boolean =>
  pod.spec?.containers.some((container) => container.ports?.some((port) => (port.hostPort ?? 0) > 0)) ?? false;

export const nodePorts = {
  name: "NodePorts",
  requeueOn: [
    { resource: "nodes", action: "Add" },
    { resource: "pods", action: "Delete", ever: ({ before }) => hasHostPort(before as Pod) },
  ],
  signature: ({ hostPorts }) => (hostPorts.length === 0 ? "" : JSON.stringify(hostPorts)),
  preFilter: ({ hostPorts }) => ({ verdict: hostPorts.length === 0 ? skip : success }),
  filter: ({ hostPorts }, node) => (node.hasPortConflict(hostPorts) ? taken : success),
} as const satisfies Plugin;
