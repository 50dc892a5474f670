// Writes the program into a directory as one script per thread, and runs it once to keep its compiled code.
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { build, stop } from "esbuild-wasm";
import { root } from "../launch.mjs";
import { ourSources } from "./plugin.ts";

const main = "src/cli/main.ts";
export const threads = ["src/store/disk/commit-worker.ts", "src/store/disk/reader-worker.ts"];
/** Packages that are loaded on first use, and so stay where they are. */
const outside = ["@grpc/grpc-js"];

const nameOf = (entry: string): string => (entry === main ? "tiphys" : entry.replace(/^.*\/|\.ts$/g, ""));

function write(path: string, text: string): void {
  writeFileSync(`${path}.new`, text);
  renameSync(`${path}.new`, path);
}

/** Writes `tiphys.cjs` and what it needs; `inputs.json` says of which sources it was made. Returns the names of all files. */
async function writeBundles(directory: string): Promise<string[]> {
  const { outputFiles, metafile } = await build({
    absWorkingDir: root,
    entryPoints: [main, ...threads].map((entry) => ({ in: entry, out: nameOf(entry) })),
    outdir: directory,
    bundle: true,
    write: false,
    metafile: true,
    format: "cjs",
    platform: "node",
    target: "node26",
    external: outside,
    plugins: [ourSources({ directory, threads, threadDirectory: directory, here: "__dirname" })],
    // runtime.cjs runs a script, which cannot import
    supported: { "dynamic-import": false },
    banner: { js: "(function (require, module, exports, __dirname) {" },
    footer: { js: "})" },
    sourcemap: "external",
    sourcesContent: false,
    charset: "ascii",
    legalComments: "none",
    logLevel: "warning",
  });
  await stop();
  mkdirSync(directory, { recursive: true });
  const contentOf = (ending: string): string => outputFiles.find(({ path }) => path === join(directory, ending))?.text ?? "";
  const runtime = readFileSync(join(import.meta.dirname, "runtime.cjs"), "utf8");
  const names = ["inputs.json"];
  for (const entry of [main, ...threads]) {
    const text = contentOf(`${nameOf(entry)}.js`);
    const name = `${nameOf(entry)}-${createHash("sha256").update(text).digest("hex").slice(0, 16)}`;
    write(join(directory, `${name}.js`), text);
    write(join(directory, `${name}.js.map`), contentOf(`${nameOf(entry)}.js.map`));
    // the one step from the old text to the new
    write(join(directory, `${nameOf(entry)}.cjs`), runtime.replaceAll("NAME", name));
    names.push(`${nameOf(entry)}.cjs`, `${name}.js`, `${name}.js.map`, `${name}.code`);
  }
  const sources = Object.keys(metafile.inputs).filter((path) => path.startsWith("src/"));
  // the lockfile stands for everything below node_modules
  const inputs = ["package-lock.json", "scripts/bundle/build.ts", "scripts/bundle/runtime.cjs", ...sources].map((path) => {
    const { size, mtimeMs } = statSync(join(root, path));
    return [path, `${size} ${mtimeMs}`];
  });
  write(join(directory, "inputs.json"), `${JSON.stringify({ inputs: Object.fromEntries(inputs) })}\n`);
  return names;
}

/** Starts a small cluster and stops it: the code that this compiled, which every start needs, is kept. Without it a start is slower, nothing else. */
async function keepCompiledCode(directory: string): Promise<void> {
  const dataDir = mkdtempSync(join(tmpdir(), "tiphys-bundle-"));
  const ports = ["api", "kubelet", "controllers", "scheduler"].map((part) => `--${part}-port=0`);
  const child = spawn(
    process.execPath,
    [join(directory, "tiphys.cjs"), "up", ...ports, "--nodes=0", "--sim-nodes=1", `--data-dir=${dataDir}`],
    { stdio: ["ignore", "pipe", "pipe"], env: { ...process.env, TIPHYS_BUNDLE: "keep code" }, timeout: 60_000 },
  );
  // who ends us ends it too
  const stopped = (): void => {
    child.kill();
    process.exit(1);
  };
  process.once("SIGTERM", stopped);
  let output = "";
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding("utf8").on("data", (text: string) => {
      output += text;
      if (output.includes("is ready after") && !child.killed) child.kill("SIGTERM");
    });
  const [code] = (await once(child, "close")) as [number | null];
  process.removeListener("SIGTERM", stopped);
  rmSync(dataDir, { recursive: true, force: true });
  if (code !== 0) console.error(`tiphys: the bundle's code is not compiled in advance:\n${output.trim()}`);
}

/** Makes the bundle in `directory`; what an older one left there goes. */
export async function buildBundle(directory: string): Promise<void> {
  const names = await writeBundles(directory);
  await keepCompiledCode(directory);
  for (const entry of readdirSync(directory, { withFileTypes: true }))
    if (entry.isFile() && !names.includes(entry.name)) rmSync(join(directory, entry.name));
}
