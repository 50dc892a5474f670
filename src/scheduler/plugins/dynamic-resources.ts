// DynamicResources: not there yet, and says so; pods without claims pass.
import type { Plugin } from "../framework/plugin.ts";
import { skip, unresolvable, unschedulable } from "../framework/verdict.ts";

export const dynamicResources = {
  name: "DynamicResources",
  preFilter: ({ pod }) => ({
    verdict:
      (pod.spec?.resourceClaims ?? []).length === 0
        ? skip
        : unresolvable("pod.spec.resourceClaims: dynamic resource allocation is not implemented yet"),
  }),
  filter: () => unschedulable("dynamic resource allocation is not implemented yet"),
  // Upstream says this of every pod that no node can take, claims or not.
  postFilter: () => ({ verdict: unschedulable("no new claims to deallocate") }),
} as const satisfies Plugin;
