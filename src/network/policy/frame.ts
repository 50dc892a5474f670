// The constant part of table `ip tiphys-network-policy`: where packets meet it. Policies and pods add everything else; without a policy there is no table.
import type { Table } from "#base";

export const directions = ["ingress", "egress"] as const;
/** As seen from the pod that a policy is about. */
export type Direction = (typeof directions)[number];

/** Which chain a pod's packets go through; pods that are not in it are open. */
export const podMap = (direction: Direction): string => `${direction}-pods`;

/**
 * Only what is forwarded is looked at, after destination NAT: a packet of a Service has its pod's address by then, and what the node itself sends to
 * its pods, or they to it, never comes by (probes!). The two directions are two base chains because `accept` ends one of them, and a packet from one
 * pod of the node to another needs both to agree. Answers belong to a connection that was let through when it began: it may go on when policies
 * change, as upstream allows. A pod that reaches itself through a Service comes by with its own address on both ends.
 */
export const policyTable: Table = {
  name: "ip tiphys-network-policy",
  frame: `  map egress-pods { type ipv4_addr : verdict; }
  map ingress-pods { type ipv4_addr : verdict; }
  set itself { type ipv4_addr . ipv4_addr; }

  chain probe {
  }
  chain check-egress {
    type filter hook forward priority 0; policy accept;
    ct state established,related accept
    ip saddr . ip daddr @itself accept
    ip saddr vmap @egress-pods
  }
  chain check-ingress {
    type filter hook forward priority 1; policy accept;
    ct state established,related accept
    ip saddr . ip daddr @itself accept
    ip daddr vmap @ingress-pods
  }
`,
};
