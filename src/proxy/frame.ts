// The constant part of table `ip kube-proxy`: where packets enter, which maps they are looked up in. Services only add elements and a few chains.
import type { Table } from "#base";

/** The bit of the packet mark that asks for masquerading: upstream's, which others know to leave alone. */
const masqueradeBit = "0x4000";

export const protocols = ["tcp", "udp", "sctp"] as const;
export type Protocol = (typeof protocols)[number];

/** Where the endpoints of a frontend are, by slot; `scope` tells those of this node from all. */
export const endpointMap = (of: "service" | "nodeport", scope: "" | "-local", protocol: Protocol): string =>
  `${of}${scope}-endpoints-${protocol}`;

// One map per protocol, though the protocol could be part of the key as "th dport": nft 1.0.6 cannot read such a declaration back from the kernel
// ("conflicting protocols specified: ip vs. th") and then refuses new rules that use the map. The declared number of slots gives only a type.
const endpointMaps = protocols
  .flatMap((protocol) =>
    (["", "-local"] as const).flatMap((scope) => [
      `  map ${endpointMap("service", scope, protocol)} { typeof ip daddr . ${protocol} dport . numgen random mod 2 : ip daddr . ${protocol} dport; }\n`,
      `  map ${endpointMap("nodeport", scope, protocol)} { typeof ${protocol} dport . numgen random mod 2 : ip daddr . ${protocol} dport; }\n`,
    ]),
  )
  .join("");

export interface FrameOptions {
  /** Ranges of node addresses that answer node ports; undefined: every local address but loopback. */
  readonly nodePortAddresses?: readonly string[];
}

export const serviceTable = (options: FrameOptions): Table => ({ name: "ip kube-proxy", frame: frame(options) });

// Priorities: 10 before and 10 after destination NAT (-100, "dstnat"; the word does not exist for the output hook in nft 1.0).
const frame = (options: FrameOptions): string => `  map service-ips { type ipv4_addr . inet_proto . inet_service : verdict; }
  map service-nodeports { type inet_proto . inet_service : verdict; }
  map no-endpoint-services { type ipv4_addr . inet_proto . inet_service : verdict; }
  map no-endpoint-nodeports { type inet_proto . inet_service : verdict; }
${endpointMaps}  set cluster-ips { type ipv4_addr; }
  set hairpin-connections { type ipv4_addr . ipv4_addr; }
  set firewall-ips { type ipv4_addr . inet_proto . inet_service; }
  set firewall-sources { type ipv4_addr . inet_proto . inet_service . ipv4_addr; flags interval; }

  chain probe {
  }
  chain mark-for-masquerade {
    meta mark set meta mark | ${masqueradeBit}
  }
  chain reject-it {
    reject
  }
  chain before-nat {
    ip daddr . ip protocol . th dport @firewall-ips ip daddr . ip protocol . th dport . ip saddr != @firewall-sources drop
    ip daddr . ip protocol . th dport vmap @no-endpoint-services
    ${toNodePort(options)} ip protocol . th dport vmap @no-endpoint-nodeports
  }
  chain services {
    ip daddr . ip protocol . th dport vmap @service-ips
    ${toNodePort(options)} ip protocol . th dport vmap @service-nodeports
  }
  chain filter-prerouting {
    type filter hook prerouting priority -110; policy accept;
    ct state new jump before-nat
  }
  chain filter-output {
    type filter hook output priority -110; policy accept;
    ct state new jump before-nat
  }
  chain filter-forward {
    type filter hook forward priority -110; policy accept;
    ct state new ip daddr @cluster-ips reject
  }
  chain filter-output-post-dnat {
    type filter hook output priority -90; policy accept;
    ct state new ip daddr @cluster-ips reject
  }
  chain nat-prerouting {
    type nat hook prerouting priority -100; policy accept;
    jump services
  }
  chain nat-output {
    type nat hook output priority -100; policy accept;
    jump services
  }
  chain nat-postrouting {
    type nat hook postrouting priority 100; policy accept;
    ip saddr . ip daddr @hairpin-connections masquerade fully-random
    meta mark & ${masqueradeBit} == 0 return
    meta mark set meta mark ^ ${masqueradeBit}
    masquerade fully-random
  }
`;

function toNodePort({ nodePortAddresses }: FrameOptions): string {
  const local = "fib daddr type local ip daddr != 127.0.0.0/8";
  return nodePortAddresses === undefined ? local : `${local} ip daddr { ${nodePortAddresses.join(", ")} }`;
}
