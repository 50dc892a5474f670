// Follows imports from an entry: every module that a bundle holds, each after those that it needs.
import { existsSync, readFileSync } from "node:fs";
import { createRequire, isBuiltin } from "node:module";
import { dirname, join, relative } from "node:path";
import { laterRequestsOf, requestsOf, withoutTypes, workersOf } from "./parse.ts";

export const root = join(import.meta.dirname, "../..");
const frontDoors = (JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { imports: Record<string, string> }).imports;

export interface Module {
  /** Relative to the root, as all paths here. */
  readonly path: string;
  readonly kind: "module" | "commonjs" | "json";
  /** Without types. Empty for JSON, which is read from its own file. */
  readonly text: string;
  /** What a specifier in it means: a path, or undefined for what the bundle does not hold. */
  resolve(specifier: string): string | undefined;
}

/** Throws for modules that import each other in a circle: a function cannot wait for its caller. */
export function collect(entry: string): { readonly modules: readonly Module[]; readonly workers: readonly string[] } {
  const done = new Map<string, Module>();
  const workers: string[] = [];
  const visit = (path: string, above: readonly string[]): void => {
    if (done.has(path)) return;
    if (above.includes(path))
      throw new Error(`modules import each other in a circle: ${[...above.slice(above.indexOf(path)), path].join(" -> ")}`);
    const module = read(path);
    const found = (specifiers: readonly string[]): string[] =>
      specifiers.map((specifier) => module.resolve(specifier)).filter((target) => target !== undefined);
    if (module.kind === "module") for (const target of found(requestsOf(module.text))) visit(target, [...above, path]);
    done.set(path, module);
    if (module.kind === "commonjs") for (const target of found(requiresOf(module.text))) visit(target, []);
    if (module.kind === "module") {
      for (const target of found(laterRequestsOf(module.text).filter(isOurs))) visit(target, []);
      workers.push(...found(workersOf(module.text)));
    }
  };
  visit(entry, []);
  return { modules: [...done.values()], workers };
}

function read(path: string): Module {
  const source = readFileSync(join(root, path), "utf8");
  if (path.endsWith(".json")) return { path, kind: "json", text: "", resolve: () => undefined };
  const require = createRequire(join(root, path));
  const resolve = (specifier: string): string | undefined => {
    if (isBuiltin(specifier)) return undefined;
    if (specifier.startsWith("#")) return frontDoors[specifier]?.slice(2);
    try {
      const target = relative(root, require.resolve(specifier));
      return /\.(ts|[cm]?js|json)$/.test(target) ? target : undefined;
    } catch {
      return undefined; // a package that another can do without, or says so when it is asked for
    }
  };
  if (path.endsWith(".ts")) return { path, kind: "module", text: withoutTypes(source), resolve };
  return { path, kind: isModule(path) ? "module" : "commonjs", text: source, resolve };
}

/** Not a package, nor built in. */
export const isOurs = (specifier: string): boolean => /^[.#]/.test(specifier);

/** What a module of the older kind requires by a literal name. */
export const requiresOf = (text: string): string[] =>
  [...text.matchAll(/(?<![.\w$])require\(\s*["']([^"']+)["']\s*\)/g)].map((match) => match[1] as string);

/** Node's own rule: by the ending, else by the nearest package.json. */
function isModule(path: string): boolean {
  if (/\.[cm]js$/.test(path)) return path.endsWith(".mjs");
  let directory = dirname(path);
  while (directory !== "." && !existsSync(join(root, directory, "package.json"))) directory = dirname(directory);
  return (JSON.parse(readFileSync(join(root, directory, "package.json"), "utf8")) as { type?: string }).type === "module";
}
