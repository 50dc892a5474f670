// What programs import that install the package: JavaScript modules and their types, as Node strips no types below node_modules.
import { spawnSync } from "node:child_process";
import { globSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { build, stop } from "esbuild-wasm";
import { root } from "../launch.mjs";
import { threads } from "./build.ts";
import { ourSources } from "./plugin.ts";

/** The front doors that the package shows, by the name of their output. */
const doors = { cluster: "src/cluster/library.ts", api: "src/api/mod.ts", client: "src/client/mod.ts" };

/** Writes the modules into `directory`/library (the bundles of threads are expected in `directory`) and the types into `directory`/types. */
export async function buildLibrary(directory: string): Promise<void> {
  const modules = join(directory, "library");
  rmSync(modules, { recursive: true, force: true });
  await build({
    absWorkingDir: root,
    entryPoints: doors,
    outdir: modules,
    bundle: true,
    splitting: true, // the doors share what they share: one class ApiError
    format: "esm",
    platform: "node",
    target: "node26",
    packages: "external",
    plugins: [ourSources({ directory: modules, threads, threadDirectory: directory, here: "import.meta.dirname" })],
    sourcemap: true,
    sourcesContent: false,
    legalComments: "none",
    logLevel: "warning",
  });
  await stop();
  writeTypes(join(directory, "types"));
}

function writeTypes(directory: string): void {
  rmSync(directory, { recursive: true, force: true });
  const options = ["--noEmit", "false", "--declaration", "--emitDeclarationOnly", "--rootDir", ".", "--outDir", directory];
  const { status, stdout } = spawnSync(
    process.execPath,
    [join(root, "node_modules/typescript/bin/tsc"), "-p", "scripts/bundle", ...options],
    {
      cwd: root,
      encoding: "utf8",
    },
  );
  if (status !== 0) throw new Error(`cannot write the types of the library:\n${stdout}`);
  const { imports } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as {
    readonly imports: Readonly<Record<string, string>>;
  };
  for (const name of globSync("**/*.d.ts", { cwd: directory })) {
    const path = join(directory, name);
    const plain = (specifier: string): string => {
      const target = imports[specifier];
      const place = target === undefined ? specifier : relative(dirname(path), join(directory, target));
      return (place.startsWith(".") ? place : `./${place}`).replace(/\.ts$/, ".js");
    };
    const text = readFileSync(path, "utf8").replaceAll(
      /(from |import\()"(#\w+|\.[^"]*)"/g,
      (_, before: string, specifier: string) => `${before}"${plain(specifier)}"`,
    );
    writeFileSync(path, text);
  }
}
