import assert from "node:assert/strict";
import { test } from "node:test";
import type { ClusterRole } from "#api";
import { aggregatedRules } from "./controller.ts";

const role = (name: string, labels: Record<string, string>, resources: readonly string[]): ClusterRole => ({
  metadata: { name, labels },
  rules: resources.map((resource) => ({ verbs: ["get"], resources: [resource] })),
});

test("an aggregated role has the rules of all that match, in order of name, each once, and not its own", () => {
  const view: ClusterRole = {
    ...role("view", { "to-view": "true" }, ["old"]),
    aggregationRule: { clusterRoleSelectors: [{ matchLabels: { "to-view": "true" } }, { matchLabels: { more: "yes" } }] },
  };
  const all = [
    role("z", { "to-view": "true" }, ["pods", "nodes"]),
    view,
    role("a", { "to-view": "true" }, ["pods"]),
    role("m", { more: "yes" }, ["jobs"]),
    role("other", {}, ["secrets"]),
  ];
  assert.deepEqual(
    aggregatedRules(view, all).map(({ resources }) => resources),
    [["pods"], ["nodes"], ["jobs"]],
  );
});
