// For tests: the kernel's part. Sends a packet that begins a connection through the content of a table, rule by rule.
import { assert, type Item, ItemLedger, itemId, parseAddress, type TableContent } from "#base";
import { compilePolicy } from "../compile.ts";
import { type Direction, directions, podMap } from "../frame.ts";
import { type Member, memberOf } from "../member.ts";
import { groupsFor, planPod } from "../plan.ts";
import type { Packet, World } from "./model.ts";

/** What a node that starts now would load. */
export function tableOf(world: World, nodeName: string): TableContent {
  const policiesOf = (namespace: string) =>
    world.policies.filter(({ metadata }) => metadata.namespace === namespace).map(compilePolicy);
  const members = world.pods.flatMap((pod): [string, Member][] => {
    const member = memberOf(pod, world.namespaces[pod.metadata.namespace ?? ""]);
    return member === undefined ? [] : [[`${member.namespace}/${pod.metadata.name}`, member]];
  });
  const local = members.map(([, member]) => member).filter((member) => member.nodeName === nodeName);
  const groups = groupsFor(local, policiesOf);
  const ledger = new ItemLedger();
  for (const [key, member] of members)
    ledger.put(key, planPod(key, member, { name: nodeName, policies: policiesOf(member.namespace), groups }));
  return ledger.content();
}

/** Through both base chains of one node. */
export function passes(content: TableContent, packet: Packet): boolean {
  if (has(content, "itself", `${packet.source} . ${packet.destination}`)) return true;
  return directions.every((direction) => verdict(content, entrance(content, direction, packet), packet) !== "drop");
}

function entrance(content: TableContent, direction: Direction, packet: Packet): string {
  const key = direction === "ingress" ? packet.destination : packet.source;
  return content.get(itemId({ kind: "element", name: podMap(direction), key }))?.value ?? "";
}

type Verdict = "accept" | "drop" | undefined;

/** `statement` is one, as a map or a rule has it: "goto x", "jump x", "accept", "counter drop", "". */
function verdict(content: TableContent, statement: string, packet: Packet): Verdict {
  if (statement === "accept" || statement === "") return statement || undefined;
  if (statement === "counter drop") return "drop";
  const [, chainName = ""] = /^(?:goto|jump) (\S+)$/.exec(statement) ?? [];
  const chain = content.get(itemId({ kind: "chain", name: chainName, key: "" }));
  assert(chain !== undefined, `"${statement}" leads somewhere`);
  for (const rule of chain.value === "" ? [] : chain.value.split("\n")) {
    const reached = matching(content, rule, packet);
    const found = reached === undefined ? undefined : verdict(content, reached, packet);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** What the rule does with the packet: undefined when one of its conditions fails. */
function matching(content: TableContent, rule: string, packet: Packet): string | undefined {
  const protocol = packet.protocol.toLowerCase();
  const conditions: [RegExp, (...words: string[]) => boolean][] = [
    [/^ip saddr @(\S+) /, (set) => has(content, set, packet.source)],
    [/^ip daddr @(\S+) /, (set) => has(content, set, packet.destination)],
    [
      /^ip daddr \. (\w+) dport @(\S+) /,
      (of, set) => of === protocol && has(content, set, `${packet.destination} . ${packet.port}`),
    ],
    [/^ip protocol (\w+) /, (of) => of === protocol],
    [
      /^(\w+) dport \{ (.*?) \} /,
      (of, spans) => of === protocol && spans.split(", ").some((span) => isBetween(packet.port, span, Number)),
    ],
  ];
  let rest = rule;
  for (let found = true; found; ) {
    found = false;
    for (const [pattern, holds] of conditions) {
      const match = pattern.exec(rest);
      if (match === null) continue;
      if (!holds(...match.slice(1))) return undefined;
      rest = rest.slice(match[0].length);
      found = true;
    }
  }
  return rest;
}

function has(content: TableContent, set: string, key: string): boolean {
  if (content.has(itemId({ kind: "element", name: set, key }))) return true;
  const declared: Item | undefined = content.get(itemId({ kind: "set", name: set, key: "" }));
  const [, spans] = /elements = \{ (.*) \}$/.exec(declared?.value ?? "") ?? [];
  return spans?.split(", ").some((span) => isBetween(addressNumber(key), span, addressNumber)) === true;
}

const addressNumber = (text: string): number => Number(parseAddress(text)?.value);

function isBetween(value: number, span: string, parse: (text: string) => number): boolean {
  const [first = "", last = first] = span.split("-");
  return value >= parse(first) && value <= parse(last);
}
