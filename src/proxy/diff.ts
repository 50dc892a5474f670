// From one table to another as one nft transaction; nft itself is never asked what it holds.
import { type Collection, type RuleSet, table } from "./rules.ts";

/** So many elements in one line: nft's parser takes longer than linear time for very long ones. */
const perLine = 500;

/** Replaces whatever is there under our table's name, in one transaction. */
export const fullScript = (after: RuleSet): string => `add table ${table}\ndelete table ${table}\nadd table ${table}\n${diffRules(empty, after)}`;

export const removeScript = `add table ${table}\ndelete table ${table}\n`;

const empty: RuleSet = { collections: new Map(), chains: new Map() };

/** The commands that make `before` into `after`; "" when they are the same. */
export function diffRules(before: RuleSet, after: RuleSet): string {
  const script: string[] = [];
  const goneCollections = [...before.collections.keys()].filter((name) => !same(before.collections.get(name), after.collections.get(name)));
  const newCollections = [...after.collections.keys()].filter((name) => !same(after.collections.get(name), before.collections.get(name)));
  const goneChains = [...before.chains.keys()].filter((name) => !after.chains.has(name));
  for (const name of newCollections) {
    const { kind, declaration } = after.collections.get(name) as Collection; // its own key
    script.push(`add ${kind} ${table} ${name} { ${declaration}; }`);
  }
  for (const [name, chain] of after.chains) {
    if (!before.chains.has(name)) script.push(`add chain ${table} ${name}${chain.hook === undefined ? "" : ` { ${chain.hook}; policy accept; }`}`);
  }
  for (const [name, chain] of after.chains) {
    const old = before.chains.get(name);
    if (old !== undefined && old.rules.join("\n") === chain.rules.join("\n")) continue;
    if (old !== undefined) script.push(`flush chain ${table} ${name}`);
    for (const rule of chain.rules) script.push(`add rule ${table} ${name} ${rule}`);
  }
  const removed: string[] = [];
  const added: string[] = [];
  for (const [name, collection] of after.collections) {
    const old = newCollections.includes(name) ? undefined : before.collections.get(name);
    const gone: string[] = [];
    const fresh: string[] = [];
    for (const [key, value] of old?.elements ?? []) if (collection.elements.get(key) !== value) gone.push(key);
    for (const [key, value] of collection.elements) if (old?.elements.get(key) !== value) fresh.push(value === "" ? key : `${key} : ${value}`);
    removed.push(...lines(`delete element ${table} ${name}`, gone));
    added.push(...lines(`add element ${table} ${name}`, fresh));
  }
  // Removed before added: a changed element is both. Chains last: elements refer to them, and they to maps.
  script.push(...removed, ...added);
  for (const name of goneChains) script.push(`flush chain ${table} ${name}`);
  for (const name of goneChains) script.push(`delete chain ${table} ${name}`);
  for (const name of goneCollections) {
    if (!after.collections.has(name)) script.push(`delete ${(before.collections.get(name) as Collection).kind} ${table} ${name}`); // its own key
  }
  return script.length === 0 ? "" : `${script.join("\n")}\n`;
}

/** A name always has the same declaration: it says all that the declaration depends on. */
const same = (a: Collection | undefined, b: Collection | undefined): boolean => a !== undefined && b !== undefined && a.declaration === b.declaration;

function lines(command: string, elements: readonly string[]): readonly string[] {
  const result: string[] = [];
  for (let start = 0; start < elements.length; start += perLine) result.push(`${command} { ${elements.slice(start, start + perLine).join(", ")} }`);
  return result;
}
