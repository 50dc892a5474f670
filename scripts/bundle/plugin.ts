// What esbuild must know of our sources: where they say where they are, and data that is read when it is needed.
import { readFileSync } from "node:fs";
import { basename, dirname, join, relative } from "node:path";
import type { Plugin } from "esbuild-wasm";

/** `directory` is where the bundles will be; `threads` are the entries that run as workers. */
export function ourSources(directory: string, threads: readonly string[]): Plugin {
  /** An expression for a path of the tree, in a bundle. */
  const placeOf = (path: string): string => `require("node:path").join(__dirname, ${JSON.stringify(relative(directory, path))})`;
  return {
    name: "our sources",
    setup: (build) => {
      build.onLoad({ filter: /[/\\]src[/\\].*\.ts$/ }, ({ path }) => {
        const text = readFileSync(path, "utf8");
        if (!text.includes("import.meta")) return undefined;
        const contents = text
          .replaceAll(/new URL\("(\.[^"]+\.ts)", import\.meta\.url\)/g, (_, specifier: string) => {
            if (!threads.some((thread) => join(dirname(path), specifier).endsWith(thread)))
              throw new Error(`"${specifier}" in "${path}" is not among the threads that are bundled`);
            return `require("node:url").pathToFileURL(require("node:path").join(__dirname, "${basename(specifier, ".ts")}.cjs"))`;
          })
          .replaceAll("import.meta.dirname", placeOf(dirname(path)));
        return { contents, loader: "ts" };
      });
      // as text it costs less to read than as code
      build.onLoad({ filter: /[/\\]src[/\\].*\.json$/ }, ({ path }) => ({
        contents: `module.exports = JSON.parse(require("node:fs").readFileSync(${placeOf(path)}, "utf8"));`,
        loader: "js",
      }));
    },
  };
}
