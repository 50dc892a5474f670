// Writes the program into a directory as one file per thread, and runs it once to keep its compiled code.
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join, relative } from "node:path";
import { bundle } from "./bundle.ts";
import { collect, root } from "./modules.ts";

const outputOf = (entry: string): string => (entry === "src/cli/main.ts" ? "tiphys" : basename(entry, ".ts"));

function write(path: string, text: string): void {
  writeFileSync(`${path}.new`, text);
  renameSync(`${path}.new`, path);
}

/** Writes `tiphys.cjs` and what it needs; `inputs.json` says of which sources it was made. Returns the names of all files. */
function writeBundles(directory: string): string[] {
  mkdirSync(directory, { recursive: true });
  const inputs: Record<string, string> = {};
  const addInput = (path: string): void => {
    const { size, mtimeMs } = statSync(join(root, path));
    inputs[path] = `${size} ${mtimeMs}`;
  };
  // for everything below node_modules
  addInput("package-lock.json");
  const runtime = readFileSync(join(import.meta.dirname, "runtime.cjs"), "utf8");
  const names = ["inputs.json"];
  const queue = ["src/cli/main.ts"];
  for (const entry of queue) {
    const { modules, workers } = collect(entry);
    for (const worker of workers) if (!queue.includes(worker)) queue.push(worker);
    for (const { path } of modules) if (path.startsWith("src/")) addInput(path);
    const text = bundle(modules, entry, (worker) => `${outputOf(worker)}.cjs`);
    const name = `${outputOf(entry)}-${createHash("sha256").update(text).digest("hex").slice(0, 16)}`;
    write(join(directory, `${name}.js`), text);
    // the one step from the old text to the new
    write(
      join(directory, `${outputOf(entry)}.cjs`),
      runtime.replaceAll("NAME", name).replace('"../.."', JSON.stringify(relative(directory, root))),
    );
    names.push(`${outputOf(entry)}.cjs`, `${name}.js`, `${name}.code`);
  }
  write(join(directory, "inputs.json"), `${JSON.stringify({ inputs })}\n`);
  return names;
}

/** Starts a small cluster and stops it: the code that this compiled, which every start needs, is kept. Without it a start is slower, nothing else. */
async function keepCompiledCode(directory: string): Promise<void> {
  const dataDir = mkdtempSync(join(tmpdir(), "tiphys-bundle-"));
  const flags = ["--api-port=0", "--kubelet-port=0", "--nodes=0", "--sim-nodes=1", `--data-dir=${dataDir}`];
  const child = spawn(process.execPath, [join(directory, "tiphys.cjs"), "up", ...flags], {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, TIPHYS_BUNDLE: "keep code" },
    timeout: 60_000,
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding("utf8").on("data", (text: string) => {
      output += text;
      if (output.includes("is ready after") && !child.killed) child.kill("SIGTERM");
    });
  const [code] = (await once(child, "close")) as [number | null];
  rmSync(dataDir, { recursive: true, force: true });
  if (code !== 0) console.error(`tiphys: the bundle's code is not compiled in advance:\n${output.trim()}`);
}

/** Makes the bundle in `directory`; what an older one left there goes. */
export async function buildBundle(directory: string): Promise<void> {
  const names = writeBundles(directory);
  await keepCompiledCode(directory);
  for (const name of readdirSync(directory)) if (!names.includes(name)) rmSync(join(directory, name));
}
