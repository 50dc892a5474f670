// Node selectors, as a table.
import assert from "node:assert/strict";
import { test } from "node:test";
import { nodeSelectorTermMatches, podAllowsNode, selectableNode } from "./node-selectors.ts";
import type { NodeSelectorRequirement } from "./types/core-v1.ts";

const node = selectableNode({
  metadata: { name: "n1", labels: { zone: "a", cores: "10", negative: "-3", text: "9x" } },
  spec: {},
});

const rows: readonly (readonly [key: string, operator: string, values: readonly string[] | undefined, matches: boolean])[] = [
  ["zone", "In", ["b", "a"], true],
  ["zone", "In", ["b"], false],
  ["absent", "In", ["a"], false],
  ["zone", "NotIn", ["b"], true],
  ["zone", "NotIn", ["a"], false],
  ["absent", "NotIn", ["a"], true],
  ["zone", "Exists", undefined, true],
  ["toString", "Exists", undefined, false],
  ["absent", "DoesNotExist", undefined, true],
  ["zone", "DoesNotExist", undefined, false],
  ["cores", "Gt", ["9"], true],
  ["cores", "Gt", ["10"], false],
  ["cores", "Lt", ["11"], true],
  ["negative", "Lt", ["0"], true],
  ["text", "Gt", ["1"], false],
  ["absent", "Lt", ["1"], false],
  ["cores", "Gt", [], false],
];

for (const [key, operator, values, matches] of rows)
  test(`${key} ${operator} ${values?.join() ?? ""}: ${matches}`, () => {
    const matchExpressions = [{ key, operator, values } as NodeSelectorRequirement];
    assert.equal(nodeSelectorTermMatches({ matchExpressions }, node), matches);
  });

test("a term is all it asks for, an empty one matches nothing, and the name is its only field", () => {
  const byName = (name: string) => ({ matchFields: [{ key: "metadata.name", operator: "In", values: [name] }] });
  assert.equal(nodeSelectorTermMatches({}, node), false);
  assert.equal(nodeSelectorTermMatches(byName("n1"), node), true);
  assert.equal(nodeSelectorTermMatches(byName("n2"), node), false);
  assert.equal(
    nodeSelectorTermMatches({ ...byName("n1"), matchExpressions: [{ key: "absent", operator: "Exists" }] }, node),
    false,
  );
  assert.equal(nodeSelectorTermMatches({ matchFields: [{ key: "zone", operator: "DoesNotExist" }] }, node), false);
});

test("a pod wants its node selector and one of the required terms", () => {
  const zone = (value: string) => ({ matchExpressions: [{ key: "zone", operator: "In", values: [value] }] });
  const spec = (nodeSelector: Record<string, string>, ...nodeSelectorTerms: ReturnType<typeof zone>[]) => ({
    containers: [],
    nodeSelector,
    affinity: { nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms } } },
  });
  assert.equal(podAllowsNode(undefined, node), true);
  assert.equal(podAllowsNode({ containers: [], nodeSelector: { zone: "b" } }, node), false);
  assert.equal(podAllowsNode(spec({ zone: "a" }, zone("b"), zone("a")), node), true);
  assert.equal(podAllowsNode(spec({ zone: "a" }, zone("b")), node), false);
  assert.equal(podAllowsNode(spec({}), node), false, "no term, no node");
});
