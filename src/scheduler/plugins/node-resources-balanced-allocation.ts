// NodeResourcesBalancedAllocation: nodes whose resources would be used to similar degrees score higher.
import { resourceAmount } from "../cluster/resources.ts";
import type { Plugin, PluginFactory } from "../framework/plugin.ts";
import { skip, success } from "../framework/verdict.ts";
import { defaultScoredResources } from "./node-resources-fit.ts";

export const nodeResourcesBalancedAllocation = {
  name: "NodeResourcesBalancedAllocation",
  create: (args): Plugin => {
    const scored = (args["resources"] as readonly { readonly name: string }[] | undefined) ?? defaultScoredResources;
    return {
      name: "NodeResourcesBalancedAllocation",
      signature: ({ requests }) =>
        `${requests.milliCpu} ${requests.memory} ${requests.ephemeralStorage}${requests.extended === undefined ? "" : JSON.stringify([...requests.extended].sort())}`,
      // A pod that requests nothing changes no node's balance.
      preScore: ({ requests }) => (scored.every(({ name }) => resourceAmount(requests, name) === 0) ? skip : success),
      score: (pod, node) => {
        const used: number[] = [];
        for (const { name } of scored) {
          const capacity = resourceAmount(node.allocatable, name);
          if (capacity === 0) continue;
          used.push(Math.min(1, (resourceAmount(node.requested, name) + resourceAmount(pod.requests, name)) / capacity));
        }
        return Math.floor((1 - deviation(used)) * 100);
      },
    };
  },
} as const satisfies PluginFactory;

function deviation(values: readonly number[]): number {
  if (values.length < 2) return 0;
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  return Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length);
}
