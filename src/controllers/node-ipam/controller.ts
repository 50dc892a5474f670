// Gives every node its range of the pod network, once.
import { type Node, nodes as nodeType, type Stored } from "#api";
import { type Controller, referenceTo, watchFor } from "#client";
import type { ControllerContext } from "../context.ts";
import { nextFree, occupy, poolOf, rangeAt, release } from "./plan.ts";

export function nodeIpamController({ client, events, informers, options }: ControllerContext): Controller {
  const nodes = informers.informer(nodeType);
  const pools = options.clusterCidrs.map((cidr) => {
    const pool = poolOf(cidr, cidr.includes(":") ? options.nodeCidrMaskSizeIPv6 : options.nodeCidrMaskSizeIPv4);
    return { pool, cursor: 0, taken: new Map<number, number>() };
  });
  /** By node: what it has or was given, perhaps not in the cache yet. */
  const given = new Map<string, readonly string[]>();
  const note = (name: string, podCIDRs: readonly string[]): void => {
    const before = given.get(name) ?? [];
    for (const cidr of podCIDRs) if (!before.includes(cidr)) for (const { pool, taken } of pools) occupy(pool, taken, cidr);
    given.set(name, [...new Set([...before, ...podCIDRs])]);
  };
  const see = ({ metadata, spec }: Stored<Node>): void => {
    const podCIDRs = spec?.podCIDRs ?? (spec?.podCIDR === undefined ? [] : [spec.podCIDR]);
    if (podCIDRs.length > 0) note(metadata.name, podCIDRs);
  };
  nodes.addHandler({
    added: see,
    updated: see,
    deleted: ({ metadata: { name } }) => {
      for (const cidr of given.get(name) ?? []) for (const { pool, taken } of pools) release(pool, taken, cidr);
      given.delete(name);
    },
  });

  return {
    name: "node-ipam-controller",
    // What is free is found and noted without a pause in between, so several workers cannot give out the same range.
    workers: 8,
    sources: [watchFor(nodes)],
    reconcile: async (name, signal) => {
      const node = nodes.get(name);
      if (node === undefined || (node.spec?.podCIDR ?? "") !== "" || pools.length === 0) return;
      let podCIDRs = given.get(name);
      if (podCIDRs === undefined) {
        const free = pools.map(({ pool, taken, cursor }) => nextFree(pool, taken, cursor));
        if (free.some((index) => index === undefined)) {
          events.event(referenceTo(nodeType, node), {
            type: "Normal",
            reason: "CIDRNotAvailable",
            message: `Node ${name} status is now: CIDRNotAvailable`,
          });
          throw new Error(`Cannot give node "${name}" a range: ${options.clusterCidrs.join(", ")} has none left`);
        }
        podCIDRs = pools.map((entry, i) => {
          const index = free[i] ?? 0; // checked above
          entry.cursor = index + 1;
          return rangeAt(entry.pool, index);
        });
        note(name, podCIDRs);
      }
      await client.patch(
        nodeType,
        { name },
        { type: "strategic", body: { spec: { podCIDR: podCIDRs[0], podCIDRs: [...podCIDRs] } } },
        { signal },
      );
    },
  };
}
