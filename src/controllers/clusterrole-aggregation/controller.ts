// Fills ClusterRoles with an aggregation rule with the rules of all that their selectors match.
import {
  type ClusterRole,
  clusterRoles as clusterRoleType,
  deepEqual,
  labelSelector,
  objectKey,
  type PolicyRule,
  selectorMatches,
  semanticEqual,
} from "#api";
import { type Controller, watchMapped } from "#client";
import type { ControllerContext } from "../context.ts";

/** The union of the matching roles' rules in the order of their names, without repetitions. */
export function aggregatedRules(role: ClusterRole, all: readonly ClusterRole[]): readonly PolicyRule[] {
  const rules: PolicyRule[] = [];
  const sources = [...all].sort((a, b) => ((a.metadata.name ?? "") < (b.metadata.name ?? "") ? -1 : 1));
  for (const selector of (role.aggregationRule?.clusterRoleSelectors ?? []).map(labelSelector)) {
    for (const source of sources) {
      if (source.metadata.name === role.metadata.name || !selectorMatches(selector, source.metadata.labels)) continue;
      for (const rule of source.rules ?? []) if (!rules.some((other) => deepEqual(other, rule))) rules.push(rule);
    }
  }
  return rules;
}

export function clusterRoleAggregationController({ client, informers }: ControllerContext): Controller {
  const roles = informers.informer(clusterRoleType);
  return {
    name: "clusterrole-aggregation-controller",
    sources: [
      watchMapped(roles, () =>
        roles
          .list()
          .filter(({ aggregationRule }) => aggregationRule !== undefined)
          .map(objectKey),
      ),
    ],
    reconcile: async (key, signal) => {
      const role = roles.get(key);
      if (role?.aggregationRule === undefined) return;
      const rules = aggregatedRules(role, roles.list());
      if (semanticEqual(rules, role.rules ?? [])) return;
      // Applied, so that the field's owner is visible; whoever else wrote rules here loses them.
      await client.apply(
        clusterRoleType,
        { metadata: { name: role.metadata.name }, rules },
        { fieldManager: "clusterrole-aggregation-controller", force: true, signal },
      );
    },
  };
}
