// `tiphys image load FILE`: puts an image archive into the containerd of a running node.
import { readdirSync } from "node:fs";
import type { Command } from "commander";
import { defineOptions, systemFiles, systemProcesses } from "#base";
import { defaultDataDir, runDirectoryOf } from "#cluster";
import { addFlags, readFlags } from "./flags.ts";
import { thisMachine } from "./machine.ts";

const loadOptions = defineOptions({
  dataDir: { kind: "string", help: "The cluster's data directory", placeholder: "DIR" },
  node: { kind: "string", help: "Only this node (default: all)", placeholder: "NAME" },
});

export function addImage(program: Command): void {
  const image = program.command("image").description("Images of the real nodes");
  const load = image
    .command("load")
    .argument("<file>", "an OCI or Docker archive (docker save)")
    .description("Load an image archive into the nodes");
  addFlags(load, loadOptions).action((file: string) => loadImage(file, readFlags(loadOptions, load)));
}

async function loadImage(
  file: string,
  options: { readonly dataDir: string | undefined; readonly node: string | undefined },
): Promise<void> {
  const found = await systemFiles.stat(file);
  if (found?.kind !== "file") throw new Error(`Cannot load image archive "${file}": no such file`);
  const nodesDirectory = `${options.dataDir ?? defaultDataDir(thisMachine())}/nodes`;
  const all = (await systemFiles.stat(nodesDirectory)) === undefined ? [] : readdirSync(nodesDirectory);
  const chosen = all.filter((name) => options.node === undefined || name === options.node);
  if (chosen.length === 0)
    throw new Error(
      `Cannot load image archive "${file}": no real node${options.node === undefined ? "" : ` "${options.node}"`} in "${nodesDirectory}"`,
    );
  for (const name of chosen) {
    const socket = `${runDirectoryOf(`${nodesDirectory}/${name}`)}/containerd.sock`;
    if ((await systemFiles.stat(socket)) === undefined)
      throw new Error(`Cannot load image archive "${file}": node "${name}" is not running`);
    const result = await systemProcesses.run("ctr", ["--address", socket, "-n", "k8s.io", "images", "import", file], {
      timeoutMs: 600_000,
    });
    if (result.code !== 0) throw new Error(`Cannot load image archive "${file}" into node "${name}": ${result.stderr.trim()}`);
    process.stdout.write(result.stdout);
  }
}
