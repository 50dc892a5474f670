// Turns table content and changes of it into scripts for `nft -f -`; each script is one transaction.
import type { Item, ItemChange, Table, TableContent } from "./items.ts";

/** Elements of one line: long lines cost nft nothing, but an error names the line. */
const elementsPerLine = 500;

/**
 * Replaces whatever table is there, of which nothing need be known. Connections live on, but the hooks of the old table and of the new one do not
 * change in one instant: a packet may meet neither. `renderTakeover` has no such instant.
 */
export const renderFull = (table: Table, content: TableContent): string =>
  `${renderRemoval(table)}${filled(table, [...content.values()])}`;

/** What a table holds, as far as its next owner must know. */
export interface FoundTable {
  readonly chains: readonly string[];
  /** Sets and maps. */
  readonly collections: readonly { readonly kind: "set" | "map"; readonly name: string }[];
}

/**
 * Makes the table that is there hold just `content`: its hooks stay, so that every packet meets the old rules or the new ones, and so does what
 * packets have put into its dynamic sets. Refused by the kernel where a chain or map of that name is of another kind: a table of another version.
 */
export function renderTakeover(table: Table, content: TableContent, found: FoundTable): string {
  const { name: tableName, frame } = table;
  const items = [...content.values()];
  const inFrame = new Set(Array.from(frame.matchAll(/^ {2}(?:chain|map|set) (\S+)/gm), ([, name]) => name));
  const kept = new Set(items.filter((item) => item.kind !== "element").map((item) => item.name));
  const isForeign = (name: string): boolean => !inFrame.has(name) && !kept.has(name);
  const dynamic = new Set(items.filter(isDynamic).map((item) => item.name));
  return [
    `flush table ${tableName}\n`, // the rules of all chains, nothing else
    ...found.collections.filter(({ name }) => !dynamic.has(name)).map(({ kind, name }) => `flush ${kind} ${tableName} ${name}\n`),
    ...found.chains.filter(isForeign).map((name) => `delete chain ${tableName} ${name}\n`),
    ...found.collections.filter(({ name }) => isForeign(name)).map(({ kind, name }) => `delete ${kind} ${tableName} ${name}\n`),
    filled(table, items),
  ].join("");
}

/** The frame and everything in it, for a table without rules and elements. */
function filled(table: Table, items: readonly Item[]): string {
  const sets = items.filter((item) => item.kind === "set").map((item) => `  set ${item.name} { ${item.value} }\n`);
  const chains = items.filter((item) => item.kind === "chain");
  const bodies = [...chains]
    .sort(leafFirst)
    .map((item) => `  chain ${item.name} {\n    ${item.value.replaceAll("\n", "\n    ")}\n  }\n`);
  return `table ${table.name} {\n${table.frame}${sets.join("")}${bodies.join("")}}\n${elements(table, "add", items)}`;
}

/** In an order in which nothing refers to what is not there yet, or is gone already. Empty for no change. */
export function renderDiff(table: Table, changes: readonly ItemChange[]): string {
  const { name: tableName } = table;
  const gone = changes.flatMap(({ before, after }) => (before !== undefined && after === undefined ? [before] : []));
  const came = changes.flatMap(({ before, after }) => (before === undefined && after !== undefined ? [after] : []));
  const turned = changes.flatMap(({ before, after }) => (before !== undefined && after !== undefined ? [after] : []));
  const of = (kind: Item["kind"], items: readonly Item[]): Item[] => items.filter((item) => item.kind === kind);
  return [
    ...of("set", came).map((set) => `add set ${tableName} ${set.name} { ${set.value} }\n`),
    ...of("chain", came).map((chain) => `add chain ${tableName} ${chain.name}\n`),
    ...of("chain", [...turned, ...gone]).map((chain) => `flush chain ${tableName} ${chain.name}\n`),
    ...of("chain", [...came, ...turned]).flatMap((chain) =>
      rulesOf(chain).map((rule) => `add rule ${tableName} ${chain.name} ${rule}\n`),
    ),
    elements(table, "delete", of("element", [...gone, ...turned])),
    elements(table, "add", of("element", [...came, ...turned])),
    ...of("chain", gone).map((chain) => `delete chain ${tableName} ${chain.name}\n`),
    ...of("set", gone).map((set) => `delete set ${tableName} ${set.name}\n`),
  ].join("");
}

export const renderRemoval = ({ name }: Table): string => `add table ${name}\ndelete table ${name}\n`; // adding first: no error where there is none

/** In a full load a chain must be written after those it goes to. */
const leafFirst = (a: Item, b: Item): number => Number(leads(a)) - Number(leads(b));
const leads = (chain: Item): boolean => /\b(goto|jump) /.test(chain.value);

const isDynamic = (item: Item): boolean => item.kind === "set" && /\bdynamic\b/.test(item.value);
const rulesOf = (chain: Item): readonly string[] => (chain.value === "" ? [] : chain.value.split("\n"));

function elements(table: Table, verb: "add" | "delete", items: readonly Item[]): string {
  const lines: string[] = [];
  for (const [name, group] of Map.groupBy(
    items.filter((item) => item.kind === "element"),
    (item) => item.name,
  )) {
    for (let from = 0; from < group.length; from += elementsPerLine) {
      const part = group.slice(from, from + elementsPerLine);
      const texts = part.map(({ key, value }) => (verb === "add" && value !== "" ? `${key} : ${value}` : key));
      lines.push(`${verb} element ${table.name} ${name} { ${texts.join(", ")} }\n`);
    }
  }
  return lines.join("");
}

/** Changes nothing, and fails when the table is not there. */
export const renderProbe = ({ name }: Table): string => `add rule ${name} probe return\nflush chain ${name} probe\n`;
