// What esbuild must know of our sources: where they say where they are, and data that is read when it is needed.
import { readFileSync } from "node:fs";
import { basename, dirname, join, relative } from "node:path";
import type { Plugin } from "esbuild-wasm";

export interface Places {
  /** Where the output will be. */
  readonly directory: string;
  /** Entries that run as workers, bundled on their own. */
  readonly threads: readonly string[];
  /** Where those will be. */
  readonly threadDirectory: string;
  /** Name of the variable that holds the output's directory. */
  readonly here: "__dirname" | "import.meta.dirname";
}

export function ourSources({ directory, threads, threadDirectory, here }: Places): Plugin {
  /** An expression for a path of the tree, in the output. */
  const placeOf = (path: string): string =>
    `process.getBuiltinModule("path").join(${here}, ${JSON.stringify(relative(directory, path))})`;
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
            return `process.getBuiltinModule("url").pathToFileURL(${placeOf(join(threadDirectory, `${basename(specifier, ".ts")}.cjs`))})`;
          })
          .replaceAll("import.meta.dirname", placeOf(dirname(path)));
        return { contents, loader: "ts" };
      });
      // as text it costs less to read than as code
      build.onLoad({ filter: /[/\\]src[/\\].*\.json$/ }, ({ path }) => ({
        contents: `export default JSON.parse(process.getBuiltinModule("fs").readFileSync(${placeOf(path)}, "utf8"));`,
        loader: "js",
      }));
    },
  };
}
