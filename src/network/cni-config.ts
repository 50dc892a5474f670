// The CNI configuration of a node: bridge, host-local addresses, port mappings (CNI specification 0.4).

export interface CniConfigOptions {
  /** The node's own range: "10.244.1.0/24". */
  readonly podCidr: string;
  readonly bridge: string;
  readonly mtu?: number;
  /** The plugin is installed that holds pods to their `kubernetes.io/ingress-bandwidth` and `egress-bandwidth` annotations. */
  readonly hasBandwidth: boolean;
  /** Where host-local notes which addresses are taken. */
  readonly dataDirectory: string;
}

/** The text of a .conflist. Masquerading is not the bridge's: host.ts does it once for all pods. */
export function cniConfig(options: CniConfigOptions): string {
  return `${JSON.stringify(
    {
      cniVersion: "0.4.0",
      name: "tiphys",
      plugins: [
        {
          type: "bridge",
          bridge: options.bridge,
          isGateway: true,
          ipMasq: false,
          hairpinMode: true,
          ...(options.mtu === undefined ? {} : { mtu: options.mtu }),
          ipam: {
            type: "host-local",
            ranges: [[{ subnet: options.podCidr }]],
            routes: [{ dst: "0.0.0.0/0" }],
            dataDir: options.dataDirectory,
          },
        },
        { type: "portmap", capabilities: { portMappings: true }, snat: true },
        // it does nothing for a pod without annotations, which the runtime reads and hands to it
        ...(options.hasBandwidth ? [{ type: "bandwidth", capabilities: { bandwidth: true } }] : []),
      ],
    },
    undefined,
    2,
  )}\n`;
}
