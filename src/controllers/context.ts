// What every controller gets: clients by identity, shared informers, events, time, randomness, log and the options of the process.
import type { Clock, Log, Random, Running } from "#base";
import type { Client, ControllerDeps, EventRecorder, InformerFactory } from "#client";

export interface ControllerOptions {
  /** Upstream's --controllers: "*" all that are on by default, "name" on, "-name" off. */
  readonly controllers: readonly string[];
  /** How long a node may be silent before it counts as Unknown. Upstream: 50 s. */
  readonly nodeMonitorGracePeriodMs: number;
  /** How long a new node may be silent. Upstream: 60 s. */
  readonly nodeStartupGracePeriodMs: number;
  readonly nodeMonitorPeriodMs: number;
  /** Ranges of the pod network, one per IP family; [] leaves nodes without a range. */
  readonly clusterCidrs: readonly string[];
  readonly nodeCidrMaskSizeIPv4: number;
  readonly nodeCidrMaskSizeIPv6: number;
  /** Finished pods kept in the cluster before the oldest are deleted; 0 keeps all. */
  readonly terminatedPodThreshold: number;
  /** PEM that clients in pods trust; absent: no kube-root-ca.crt is published. */
  readonly rootCertificate?: string;
  /** PEM of the authority that signs certificate requests; absent: nobody does. */
  readonly clusterSigning?: { readonly certificate: string; readonly key: string };
  /** Upstream's --cluster-signing-duration: no certificate that is signed on request lasts longer. */
  readonly clusterSigningDurationMs: number;
}

export interface ControllerContext {
  /** A client that acts as system:serviceaccount:kube-system:<account>. */
  readonly client: Client;
  readonly informers: InformerFactory;
  readonly events: EventRecorder;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly metrics?: ControllerDeps["metrics"];
  readonly options: ControllerOptions;
}

/** One row of the registry. */
export interface ControllerEntry {
  /** Upstream's canonical name: "deployment-controller". */
  readonly name: string;
  /** Upstream's service account in kube-system: "deployment-controller". */
  readonly account: string;
  /** What it is for, in a sentence for `tiphys controllers list`. */
  readonly duty: string;
  readonly offByDefault?: true;
  start(context: ControllerContext): Running | undefined;
}
