// Gives every node its range of the pod network, once.
import { nodes as nodeType } from "#api";
import { type Controller, referenceTo, watchFor } from "#client";
import type { ControllerContext } from "../context.ts";
import { indexesOf, nextFree, poolOf, rangeAt } from "./plan.ts";

export function nodeIpamController({ client, events, informers, options }: ControllerContext): Controller {
  const nodes = informers.informer(nodeType);
  const pools = options.clusterCidrs.map((cidr) => {
    const pool = poolOf(cidr, cidr.includes(":") ? options.nodeCidrMaskSizeIPv6 : options.nodeCidrMaskSizeIPv4);
    return { pool, cursor: 0 };
  });
  /** Handed out, perhaps not in the cache yet. */
  const given = new Map<string, readonly string[]>();
  nodes.addHandler({ deleted: ({ metadata }) => void given.delete(metadata.name) });

  const taken = (): readonly Set<number>[] =>
    pools.map(({ pool }) => {
      const indexes = new Set<number>();
      const cidrs = [
        ...[...given.values()].flat(),
        ...nodes.list().flatMap(({ spec }) => spec?.podCIDRs ?? (spec?.podCIDR === undefined ? [] : [spec.podCIDR])),
      ];
      for (const cidr of cidrs) {
        const range = indexesOf(pool, cidr);
        if (range !== undefined) for (let index = range[0]; index <= range[1]; index++) indexes.add(index);
      }
      return indexes;
    });

  return {
    name: "node-ipam-controller",
    // One at a time: two workers would hand out the same range.
    workers: 1,
    sources: [watchFor(nodes)],
    reconcile: async (name, signal) => {
      const node = nodes.get(name);
      if (node === undefined || (node.spec?.podCIDR ?? "") !== "" || pools.length === 0) return;
      let podCIDRs = given.get(name);
      if (podCIDRs === undefined) {
        const used = taken();
        const free = pools.map(({ pool, cursor }, i) => nextFree(pool, used[i] ?? new Set(), cursor));
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
        given.set(name, podCIDRs);
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
