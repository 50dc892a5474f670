// What the table must hold for one pod: pure. A pod is elements of the sets that policies ask for it; if it runs on this node and a policy
// selects it, it also brings the chains that its packets go through, which it shares with all pods of the same policies.
import { selectorMatches } from "#api";
import { type Contribution, type Item, itemId } from "#base";
import { type CompiledPolicy, digest, type Group, type PolicyChain } from "./compile.ts";
import { type Direction, directions, podMap } from "./frame.ts";
import type { Member } from "./member.ts";

/** The sets that the pods of this node need: what of the cluster this node must know. By name. */
export type Groups = ReadonlyMap<string, Group>;

/** `local` are pods of this node, `policiesOf` gives those of a namespace. */
export function groupsFor(local: Iterable<Member>, policiesOf: (namespace: string) => readonly CompiledPolicy[]): Groups {
  const groups = new Map<string, Group>();
  for (const member of local) {
    for (const direction of directions) {
      for (const { groups: asked } of chainsOf(member, direction, policiesOf(member.namespace)))
        for (const group of asked) groups.set(group.set.name, group);
    }
  }
  return groups;
}

/** `key` tells pods apart; `policies` are those of the pod's namespace, needed for pods of this node only. */
export function planPod(
  key: string,
  member: Member,
  node: { readonly name: string; readonly policies: readonly CompiledPolicy[]; readonly groups: Groups },
): Contribution {
  const items = new Map<string, Item>();
  const add = (item: Item): void => void items.set(itemId(item), item);
  const isLocal = member.nodeName === node.name;
  for (const [name, group] of node.groups)
    if (isLocal || !group.isLocal)
      for (const element of group.elements(member)) add({ kind: "element", name, key: element, value: "" });
  if (!isLocal) return { rank: key, items };
  for (const direction of directions) {
    const chains = chainsOf(member, direction, node.policies);
    if (chains.length === 0) continue;
    const { address } = member;
    const entrance = entranceOf(direction, chains);
    for (const { chain, groups, blocks } of chains)
      for (const item of [chain, ...groups.map(({ set }) => set), ...blocks]) add(item);
    add(entrance);
    add({ kind: "element", name: podMap(direction), key: address, value: `goto ${entrance.name}` });
    add({ kind: "element", name: "itself", key: `${address} . ${address}`, value: "" });
  }
  return { rank: key, items };
}

/** Of the policies that isolate this pod in this direction: none means that it is open. */
const chainsOf = (member: Member, direction: Direction, policies: readonly CompiledPolicy[]): PolicyChain[] =>
  policies.flatMap(({ selector, chains }) => {
    const chain = chains[direction];
    return chain !== undefined && selectorMatches(selector, member.labels) ? [chain] : [];
  });

/** Several policies are a union: what none of them accepts is dropped, so that a client waits in vain, and counted. */
function entranceOf(direction: Direction, chains: readonly PolicyChain[]): Item {
  const names = chains.map(({ chain }) => chain.name).sort();
  const rules = [...names.map((name) => `jump ${name}`), "counter drop"];
  return { kind: "chain", name: `${direction}-${digest(names)}`, key: "", value: rules.join("\n") };
}
