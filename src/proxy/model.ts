// What a service contributes to table `ip kube-proxy`, as data.
import type { Contribution } from "#base";

/** Where clients of a service port knock: an address of the service, or a node port on every address of the node. */
export interface Frontend {
  readonly kind: "cluster-ip" | "external-ip" | "node-port";
  /** "" for a node port. */
  readonly address: string;
  readonly port: number;
}

/** What conntrack may still hold of a UDP service port after a change. */
export interface Flows {
  readonly frontends: readonly Frontend[];
  /** Addresses of endpoints, of all policies. */
  readonly endpoints: ReadonlySet<string>;
}

/** Its rank is creation time, then key: older services win where two claim the same address and port. */
export interface ServiceRules extends Contribution {
  /** Which endpoint sits in which slot, by service port and policy: handed to the next plan, so that few slots change. */
  readonly slots: ReadonlyMap<string, readonly string[]>;
  readonly flows: ReadonlyMap<string, Flows>;
  /** Where load balancers ask whether this node has endpoints: with externalTrafficPolicy Local. */
  readonly health?: { readonly port: number; readonly localEndpoints: number };
}

/** What a plan must know of the node. */
export interface NodeView {
  readonly name: string;
  readonly ips: readonly string[];
  /** IPv4 ranges of pods; empty: unknown, and nothing is told apart by its source. */
  readonly clusterCidrs: readonly string[];
  /** Of topology hints. */
  readonly zone?: string;
}
