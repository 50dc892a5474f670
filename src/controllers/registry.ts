// Every controller of the process, by upstream's name and in upstream's order of importance; --controllers switches rows on and off.
import { runController } from "#client";
import { bootstrapSignerController } from "./bootstrap-signer/controller.ts";
import { clusterRoleAggregationController } from "./clusterrole-aggregation/controller.ts";
import type { ControllerEntry } from "./context.ts";
import { cronJobController } from "./cronjob/controller.ts";
import { approvingController } from "./csr-approving/controller.ts";
import { requestCleanerController } from "./csr-cleaner/controller.ts";
import { signingController } from "./csr-signing/controller.ts";
import { daemonSetController } from "./daemonset/controller.ts";
import { deploymentController } from "./deployment/controller.ts";
import { disruptionController } from "./disruption/controller.ts";
import { endpointsController } from "./endpoints/controller.ts";
import { endpointSliceController } from "./endpointslice/controller.ts";
import { endpointSliceMirroringController } from "./endpointslice-mirroring/controller.ts";
import { startGarbageCollector } from "./garbage-collector/controller.ts";
import { jobController } from "./job/controller.ts";
import { namespaceController } from "./namespace/controller.ts";
import { nodeIpamController } from "./node-ipam/controller.ts";
import { nodeLifecycleController } from "./node-lifecycle/controller.ts";
import { podGarbageCollector } from "./pod-gc/controller.ts";
import { replicaSetKind, replicationControllerKind } from "./replicaset/controller.ts";
import { replicaController } from "./replicaset/engine.ts";
import { resourceQuotaController } from "./resource-quota/controller.ts";
import { rootCaController } from "./root-ca/controller.ts";
import { serviceAccountController } from "./serviceaccount/controller.ts";
import { discovery } from "./shared/discovery.ts";
import { statefulSetController } from "./statefulset/controller.ts";
import { taintEvictionController } from "./taint-eviction/controller.ts";
import { tokenCleanerController } from "./token-cleaner/controller.ts";
import { ttlAfterFinishedController } from "./ttl-after-finished/controller.ts";
import {
  attributesClassProtectionController,
  claimProtectionController,
  volumeProtectionController,
} from "./volume-protection/controller.ts";

export const controllers: readonly ControllerEntry[] = [
  {
    name: "namespace-controller",
    account: "namespace-controller",
    duty: "empties a deleted namespace of everything in it",
    start: (context) => runController(namespaceController(context, discovery(context.client)), context),
  },
  {
    name: "serviceaccount-controller",
    account: "service-account-controller",
    duty: "gives every namespace its default ServiceAccount",
    start: (context) => runController(serviceAccountController(context), context),
  },
  {
    name: "root-ca-certificate-publisher-controller",
    account: "root-ca-cert-publisher",
    duty: "publishes the cluster's certificate authority in every namespace",
    start: (context) => {
      const { rootCertificate } = context.options;
      return rootCertificate === undefined ? undefined : runController(rootCaController(context, rootCertificate), context);
    },
  },
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
  {
    name: "endpointslice-controller",
    account: "endpointslice-controller",
    duty: "lists the addresses behind every Service in EndpointSlices",
    start: (context) => runController(endpointSliceController(context), context),
  },
  {
    name: "endpointslice-mirroring-controller",
    account: "endpointslicemirroring-controller",
    duty: "shows Endpoints that users wrote as EndpointSlices",
    start: (context) => runController(endpointSliceMirroringController(context), context),
  },
  {
    name: "endpoints-controller",
    account: "endpoint-controller",
    duty: "lists the addresses behind every Service in Endpoints, for old clients",
    start: (context) => runController(endpointsController(context), context),
  },
  {
    name: "node-lifecycle-controller",
    account: "node-controller",
    duty: "sees lost nodes, taints them, and marks their pods not ready",
    start: (context) => runController(nodeLifecycleController(context), context),
  },
  {
    name: "taint-eviction-controller",
    account: "node-controller",
    duty: "evicts pods from nodes whose NoExecute taints they do not tolerate",
    start: (context) => runController(taintEvictionController(context), context),
  },
  {
    name: "node-ipam-controller",
    account: "node-controller",
    duty: "gives every node a range of the pod network",
    start: (context) =>
      context.options.clusterCidrs.length === 0 ? undefined : runController(nodeIpamController(context), context),
  },
  {
    name: "pod-garbage-collector-controller",
    account: "pod-garbage-collector",
    duty: "removes pods of vanished nodes and finished pods beyond a threshold",
    start: (context) => runController(podGarbageCollector(context), context),
  },
  {
    name: "garbage-collector-controller",
    account: "generic-garbage-collector",
    duty: "deletes what lost its owners",
    start: (context) => startGarbageCollector(context, discovery(context.client)),
  },
  {
    name: "daemonset-controller",
    account: "daemon-set-controller",
    duty: "runs one pod on every node that is meant to have it",
    start: (context) => runController(daemonSetController(context), context),
  },
  {
    name: "statefulset-controller",
    account: "statefulset-controller",
    duty: "runs pods with lasting names and claims, in order",
    start: (context) => runController(statefulSetController(context), context),
  },
  {
    name: "job-controller",
    account: "job-controller",
    duty: "runs pods until enough of them succeeded",
    start: (context) => runController(jobController(context), context),
  },
  {
    name: "cronjob-controller",
    account: "cronjob-controller",
    duty: "starts Jobs when they are due",
    start: (context) => runController(cronJobController(context), context),
  },
  {
    name: "ttl-after-finished-controller",
    account: "ttl-after-finished-controller",
    duty: "deletes finished Jobs after their time to live",
    start: (context) => runController(ttlAfterFinishedController(context), context),
  },
  {
    name: "disruption-controller",
    account: "disruption-controller",
    duty: "counts how many pods each PodDisruptionBudget lets go",
    start: (context) => runController(disruptionController(context, discovery(context.client)), context),
  },
  {
    name: "resourcequota-controller",
    account: "resourcequota-controller",
    duty: "counts what is used of each ResourceQuota",
    start: (context) => runController(resourceQuotaController(context), context),
  },
  {
    name: "persistentvolumeclaim-protection-controller",
    account: "pvc-protection-controller",
    duty: "keeps claims that pods use from being removed",
    start: (context) => runController(claimProtectionController(context), context),
  },
  {
    name: "persistentvolume-protection-controller",
    account: "pv-protection-controller",
    duty: "keeps bound volumes from being removed",
    start: (context) => runController(volumeProtectionController(context), context),
  },
  {
    name: "volumeattributesclass-protection-controller",
    account: "volumeattributesclass-protection-controller",
    duty: "keeps volume attributes classes in use from being removed",
    start: (context) => runController(attributesClassProtectionController(context), context),
  },
  {
    name: "clusterrole-aggregation-controller",
    account: "clusterrole-aggregation-controller",
    duty: "fills aggregated ClusterRoles",
    start: (context) => runController(clusterRoleAggregationController(context), context),
  },
  {
    name: "certificatesigningrequest-signing-controller",
    account: "certificate-controller",
    duty: "signs approved certificate requests",
    start: (context) => {
      const { clusterSigning } = context.options;
      return clusterSigning === undefined ? undefined : runController(signingController(context, clusterSigning), context);
    },
  },
  {
    name: "certificatesigningrequest-approving-controller",
    account: "certificate-controller",
    duty: "approves kubelets' requests for their own client certificates",
    start: (context) => runController(approvingController(context), context),
  },
  {
    name: "certificatesigningrequest-cleaner-controller",
    account: "certificate-controller",
    duty: "deletes certificate requests that had their time",
    start: (context) => runController(requestCleanerController(context), context),
  },
  {
    name: "bootstrap-signer-controller",
    account: "bootstrap-signer",
    duty: "signs the cluster's public description with every bootstrap token",
    offByDefault: true,
    start: (context) => runController(bootstrapSignerController(context), context),
  },
  {
    name: "token-cleaner-controller",
    account: "token-cleaner",
    duty: "deletes bootstrap tokens whose time is over",
    offByDefault: true,
    start: (context) => runController(tokenCleanerController(context), context),
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
    if (item !== "*" && !entries.some((entry) => entry.name === name))
      throw new Error(`Cannot select controller "${item}": there is no "${name}"`);
  }
}
