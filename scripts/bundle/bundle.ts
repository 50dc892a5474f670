// Writes modules as one script: a function per module, called in the order in which their imports ask for them.
import { isBuiltin } from "node:module";
import { isOurs, type Module, requiresOf } from "./modules.ts";
import { asFunctionBody } from "./parse.ts";

/** What runtime.cjs hands to the script, and the short names by which modules use it. */
const opening =
  "(({ factories: $modules, get: $, later: $later, import: $import, builtin: $builtin, commonJs: $commonJs, json: $json, meta: $meta, worker: $worker, sources: $sources }) => {";

/** `modules` holds everything that the entry needs. `workerFile` names the bundle of a thread. Throws for what cannot be bundled. */
export function bundle(modules: readonly Module[], entry: string, workerFile: (entry: string) => string): string {
  const numbers = new Map(modules.map(({ path }, index) => [path, index]));
  const kinds = new Map(modules.map(({ path, kind }) => [path, kind]));
  const lines = [`// The modules behind "${entry}", made by scripts/bundle: change the sources instead.`, opening];
  const starts: [line: number, path: string][] = [];
  for (const module of modules) {
    const { path, kind } = module;
    const number = numbers.get(path);
    if (kind === "json") {
      lines.push(`$modules[${number}] = () => $json("${path}");`);
      continue;
    }
    lines.push(
      kind === "module"
        ? `$modules[${number}] = ${path === entry ? "async " : ""}() => { "use strict";`
        : `$commonJs(${number}, "${path}", ${JSON.stringify(requires(module, numbers))}, function (exports, require, module, __filename, __dirname) {`,
    );
    starts.push([lines.length + 1, path]);
    for (const line of (kind === "module" ? rewritten(module, numbers, kinds, workerFile) : module.text).split("\n"))
      lines.push(line);
    lines.push(kind === "module" ? "};" : "});");
  }
  lines.push(`$sources(${JSON.stringify(starts)});`, `return $(${numbers.get(entry)});`, "})");
  return ascii(`${lines.join("\n")}\n`);
}

function rewritten(
  module: Module,
  numbers: ReadonlyMap<string, number>,
  kinds: ReadonlyMap<string, Module["kind"]>,
  workerFile: (entry: string) => string,
): string {
  const now = (specifier: string): string => {
    if (isBuiltin(specifier)) return `$builtin("${specifier}")`;
    const number = numbers.get(module.resolve(specifier) ?? "");
    if (number === undefined) throw new Error(`cannot find "${specifier}"`);
    return `$(${number})`;
  };
  try {
    return asFunctionBody(module.text, {
      now,
      // packages that are imported when they are needed stay outside
      later: (specifier) =>
        isOurs(specifier) ? `$later(${numbers.get(module.resolve(specifier) ?? "")})` : `$import("${specifier}")`,
      default: (specifier) =>
        kinds.get(module.resolve(specifier) ?? "") === "module" ? `${now(specifier)}.default` : now(specifier),
      worker: (specifier) => `$worker("${workerFile(module.resolve(specifier) as string)}")`,
      meta: `$meta("${module.path}")`,
    });
  } catch (error) {
    throw new Error(`Cannot bundle "${module.path}": ${error instanceof Error ? error.message : String(error)}`);
  }
}

/** What `require` finds within the bundle, by specifier. */
const requires = ({ text, resolve }: Module, numbers: ReadonlyMap<string, number>): Record<string, number> =>
  Object.fromEntries(
    requiresOf(text).flatMap((specifier) => {
      const number = numbers.get(resolve(specifier) ?? "");
      return number === undefined ? [] : [[specifier, number]];
    }),
  );

/** One byte a character: half the memory, and nothing to decode. Names, strings and patterns may all be written with escapes. */
const ascii = (text: string): string =>
  text.replaceAll(/[^\n -~\t\r]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`);
