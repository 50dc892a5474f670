// Finds the import and export statements of one module, and writes the module as the body of a function that takes them from its neighbours.
import { stripTypeScriptTypes } from "node:module";

/** How the body of a module names another one: an expression. */
export interface Neighbours {
  /** The exports of a module that is evaluated now. */
  now(specifier: string): string;
  /** A promise of the exports, for `import()`. */
  later(specifier: string): string;
  /** The default export, given the exports. */
  default(specifier: string): string;
  /** A URL for `new URL("./worker.ts", import.meta.url)`. */
  worker(specifier: string): string;
  /** What `import.meta` is. */
  readonly meta: string;
}

/** The types blanked out, so that every token stays at its line and column; lines that were all types are empty. */
export function withoutTypes(source: string): string {
  const before = source.split("\n");
  return stripTypeScriptTypes(source, { mode: "strip" })
    .split("\n")
    .map((line, index) => (line.trim() === "" && before[index]?.trim() !== "" ? "" : line))
    .join("\n");
}

const names = String.raw`\{([^{}]*)\}`;
const from = String.raw`from\s*["']([^"']+)["'](?:\s*with\s*\{[^{}]*\})?\s*;`;
const statement = new RegExp(
  [
    String.raw`^import\s*["'](?<effect>[^"']+)["']\s*;`,
    String.raw`^import\s+(?:(?<main>\w+)\s*,?\s*)?(?:${names.replace("(", "(?<some>")}|\*\s*as\s+(?<all>\w+))?\s*${from.replace("(", "(?<source>")}`,
    String.raw`^export\s*${names.replace("(", "(?<passed>")}\s*${from.replace("(", "(?<origin>")}`,
    String.raw`^export\s*\*\s*(?:as\s+(?<space>\w+)\s*)?${from.replace("(", "(?<whole>")}`,
    String.raw`^export\s*${names.replace("(", "(?<listed>")}\s*;`,
    String.raw`^export (?=(?:async )?(?:function\*?|class|const) (?<declared>[\w$]+))`,
  ].join("|"),
  "gm",
);

const pairs = (list: string): [from: string, to: string][] =>
  list
    .split(",")
    .map((item) => item.trim())
    .filter((item) => item !== "")
    .map((item) => {
      const [first = "", second = first] = item.split(/\s+as\s+/);
      return [first, second];
    });

/** The modules that must be evaluated before this one, in order. */
export function requestsOf(text: string): string[] {
  const found = [...text.matchAll(statement)].map(
    ({ groups = {} }) => groups["effect"] ?? groups["source"] ?? groups["origin"] ?? groups["whole"],
  );
  return [...new Set(found.filter((specifier) => specifier !== undefined))];
}

/** The modules that it may ask for later. */
export const laterRequestsOf = (text: string): string[] => [...text.matchAll(later)].map((match) => match[1] as string);
export const workersOf = (text: string): string[] => [...text.matchAll(worker)].map((match) => match[1] as string);

const later = /\bimport\(\s*"([^"]+)"\s*(?:,\s*\{[^()]*\}\s*)?\)/g;
const worker = /\bnew URL\("(\.[^"]+\.ts)", import\.meta\.url\)/g;

/** The body of a function that returns the exports. Lines and columns stay, but for the statements that are rewritten. */
export function asFunctionBody(text: string, neighbours: Neighbours): string {
  const exported = new Map<string, string>();
  const whole: string[] = [];
  const add = (name: string, expression: string): void => {
    if (exported.has(name)) throw new Error(`exports "${name}" twice`);
    exported.set(name, expression);
  };
  const body = text.replaceAll(statement, (match, ...rest) => {
    const groups = rest.at(-1) as Record<string, string | undefined>;
    const lines = "\n".repeat(match.split("\n").length - 1);
    const { effect, source, main, some, all, passed, origin, whole: star, space, listed, declared } = groups;
    if (effect !== undefined) return `${neighbours.now(effect)};${lines}`;
    if (source !== undefined) {
      const parts: string[] = [];
      if (main !== undefined) parts.push(`${main} = ${neighbours.default(source)}`);
      if (all !== undefined) parts.push(`${all} = ${neighbours.now(source)}`);
      if (some !== undefined && pairs(some).length > 0)
        parts.push(
          `{ ${pairs(some)
            .map(([name, local]) => (name === local ? name : `${name}: ${local}`))
            .join(", ")} } = ${neighbours.now(source)}`,
        );
      return parts.length === 0 ? `${neighbours.now(source)};${lines}` : `const ${parts.join(", ")};${lines}`;
    }
    if (passed !== undefined && origin !== undefined) {
      for (const [name, as] of pairs(passed)) add(as, `${neighbours.now(origin)}.${name}`);
      return `${neighbours.now(origin)};${lines}`;
    }
    if (star !== undefined) {
      if (space === undefined) whole.push(neighbours.now(star));
      else add(space, neighbours.now(star));
      return `${neighbours.now(star)};${lines}`;
    }
    if (listed !== undefined) {
      for (const [name, as] of pairs(listed)) add(as, name);
      return lines;
    }
    add(declared as string, declared as string);
    return "       ";
  });
  const entries = [
    ...whole.map((expression) => `...${expression}`),
    ...[...exported].map(([name, expression]) => (name === expression ? name : `${name}: ${expression}`)),
  ];
  return `${body
    .replaceAll(worker, (_, specifier: string) => neighbours.worker(specifier))
    .replaceAll(later, (_, specifier: string) => neighbours.later(specifier))
    .replaceAll(/\bimport\.meta\b/g, neighbours.meta)}\nreturn { ${entries.join(", ")} };`;
}
