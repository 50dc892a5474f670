// ReplicaSets and ReplicationControllers: the same engine under two names.
import {
  type Labels,
  labelSelector,
  nothing,
  type ReplicaSet,
  type ReplicationController,
  replicaSets,
  replicationControllers,
  setSelector,
} from "#api";
import type { ReplicaKind } from "./engine.ts";

export const replicaSetKind: ReplicaKind<ReplicaSet> = {
  controller: "replicaset-controller",
  type: replicaSets,
  selector: (owner) => labelSelector(owner.spec.selector),
  spec: (owner) => owner.spec,
  status: (owner) => owner.status,
  withStatus: (owner, status) => ({ ...owner, status }),
  countsTerminating: true,
};

export const replicationControllerKind: ReplicaKind<ReplicationController> = {
  controller: "replicationcontroller-controller",
  type: replicationControllers,
  selector: (owner) => mapSelector(owner.spec?.selector ?? owner.spec?.template?.metadata?.labels),
  spec: (owner) => owner.spec ?? {},
  status: (owner) => owner.status,
  withStatus: (owner, status) => ({ ...owner, status }),
  countsTerminating: false,
};

/** An empty map selects nothing here: a controller that would own every pod of its namespace is a mistake. */
const mapSelector = (labels: Labels | undefined) =>
  labels === undefined || Object.keys(labels).length === 0 ? nothing : setSelector(labels);
