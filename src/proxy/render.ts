// Turns table content and changes of it into scripts for `nft -f -`; each script is one transaction.
import { type FrameOptions, frame, table } from "./frame.ts";
import type { Item, ItemChange, TableContent } from "./model.ts";

/** Elements of one line: long lines cost nft nothing, but an error names the line. */
const elementsPerLine = 500;

/**
 * Replaces whatever table is there, of which nothing need be known. Connections live on, but the hooks of the old table and of the new one do not
 * change in one instant: a packet may meet neither. `renderTakeover` has no such instant.
 */
export const renderFull = (content: TableContent, options: FrameOptions): string =>
  `add table ${table}\ndelete table ${table}\n${filled([...content.values()], options)}`;

/** What a table holds, as far as its next owner must know. */
export interface FoundTable {
  readonly chains: readonly string[];
  /** Sets and maps. */
  readonly collections: readonly { readonly kind: "set" | "map"; readonly name: string }[];
}

/**
 * Makes the table that is there hold just `content`: its hooks stay, so that every packet meets the old rules or the new ones, and so do the clients
 * that session affinity remembers. Refused by the kernel where a chain or map of that name is of another kind: a table of another version.
 */
export function renderTakeover(content: TableContent, options: FrameOptions, found: FoundTable): string {
  const items = [...content.values()];
  const inFrame = new Set(Array.from(frame(options).matchAll(/^ {2}(?:chain|map|set) (\S+)/gm), ([, name]) => name));
  const kept = new Set(items.filter((item) => item.kind !== "element").map((item) => item.name));
  const isForeign = (name: string): boolean => !inFrame.has(name) && !kept.has(name);
  return [
    `flush table ${table}\n`, // the rules of all chains, nothing else
    ...found.collections.filter(({ name }) => !kept.has(name)).map(({ kind, name }) => `flush ${kind} ${table} ${name}\n`),
    ...found.chains.filter(isForeign).map((name) => `delete chain ${table} ${name}\n`),
    ...found.collections.filter(({ name }) => isForeign(name)).map(({ kind, name }) => `delete ${kind} ${table} ${name}\n`),
    filled(items, options),
  ].join("");
}

/** The frame and everything in it, for a table without rules and elements. */
function filled(items: readonly Item[], options: FrameOptions): string {
  const sets = items.filter((item) => item.kind === "set").map((item) => `  set ${item.name} { ${item.value} }\n`);
  const chains = items.filter((item) => item.kind === "chain");
  const bodies = [...chains]
    .sort(leafFirst)
    .map((item) => `  chain ${item.name} {\n    ${item.value.replaceAll("\n", "\n    ")}\n  }\n`);
  return `table ${table} {\n${frame(options)}${sets.join("")}${bodies.join("")}}\n${elements("add", items, true)}`;
}

/** In an order in which nothing refers to what is not there yet, or is gone already. Empty for no change. */
export function renderDiff(changes: readonly ItemChange[]): string {
  const gone = changes.flatMap(({ before, after }) => (before !== undefined && after === undefined ? [before] : []));
  const came = changes.flatMap(({ before, after }) => (before === undefined && after !== undefined ? [after] : []));
  const turned = changes.flatMap(({ before, after }) => (before !== undefined && after !== undefined ? [after] : []));
  const of = (kind: Item["kind"], items: readonly Item[]): Item[] => items.filter((item) => item.kind === kind);
  return [
    ...of("set", came).map((set) => `add set ${table} ${set.name} { ${set.value} }\n`),
    ...of("chain", came).map((chain) => `add chain ${table} ${chain.name}\n`),
    ...of("chain", [...turned, ...gone]).map((chain) => `flush chain ${table} ${chain.name}\n`),
    ...of("chain", [...came, ...turned]).flatMap((chain) =>
      chain.value.split("\n").map((rule) => `add rule ${table} ${chain.name} ${rule}\n`),
    ),
    elements("delete", of("element", [...gone, ...turned]), false),
    elements("add", of("element", [...came, ...turned]), true),
    ...of("chain", gone).map((chain) => `delete chain ${table} ${chain.name}\n`),
    ...of("set", gone).map((set) => `delete set ${table} ${set.name}\n`),
  ].join("");
}

export const renderRemoval = (): string => `add table ${table}\ndelete table ${table}\n`; // adding first: no error where there is none

/** In a full load a chain must be written after those it goes to. */
const leafFirst = (a: Item, b: Item): number => Number(a.value.includes("goto ")) - Number(b.value.includes("goto "));

function elements(verb: "add" | "delete", items: readonly Item[], withValue: boolean): string {
  const lines: string[] = [];
  for (const [name, group] of Map.groupBy(
    items.filter((item) => item.kind === "element"),
    (item) => item.name,
  )) {
    for (let from = 0; from < group.length; from += elementsPerLine) {
      const part = group.slice(from, from + elementsPerLine);
      const texts = part.map((item) => (withValue && item.value !== "" ? `${item.key} : ${item.value}` : item.key));
      lines.push(`${verb} element ${table} ${name} { ${texts.join(", ")} }\n`);
    }
  }
  return lines.join("");
}

/** Changes nothing, and fails when the table is not there. */
export const renderProbe = (): string => `add rule ${table} probe return\nflush chain ${table} probe\n`;
