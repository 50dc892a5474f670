// Every controller of the process, by upstream's name and in upstream's order of importance; --controllers switches rows on and off.
import { runController } from "#client";
import type { ControllerContext, ControllerEntry } from "./context.ts";
import { deploymentController } from "./deployment/controller.ts";
import { replicaSetKind, replicationControllerKind } from "./replicaset/controller.ts";
import { replicaController } from "./replicaset/engine.ts";

export const controllers: readonly ControllerEntry[] = [
  {
    name: "replicaset-controller",
    account: "replicaset-controller",
    duty: "keeps as many pods as a ReplicaSet wants",
    start: (context) => runController(replicaController(replicaSetKind, context), context),
  },
  {
    name: "replicationcontroller-controller",
    account: "replication-controller",
    duty: "keeps as many pods as a ReplicationController wants",
    start: (context) => runController(replicaController(replicationControllerKind, context), context),
  },
  {
    name: "deployment-controller",
    account: "deployment-controller",
    duty: "rolls a new pod template out, and back",
    start: (context) => runController(deploymentController(context), context),
  },
];

/** Upstream's reading of --controllers: "-name" off, "name" on, "*" all that are on by default. Unknown names are an error. */
export function isEnabled(entry: ControllerEntry, selection: readonly string[]): boolean {
  if (selection.includes(entry.name)) return true;
  if (selection.includes(`-${entry.name}`)) return false;
  return selection.includes("*") && entry.offByDefault !== true;
}

export function assertKnown(selection: readonly string[], entries: readonly ControllerEntry[]): void {
  for (const item of selection) {
    const name = item.replace(/^-/, "");
    if (item !== "*" && !entries.some((entry) => entry.name === name)) throw new Error(`Cannot select controller "${item}": there is no "${name}"`);
  }
}

export type { ControllerContext };
