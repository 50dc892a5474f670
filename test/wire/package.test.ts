// The package as npm packs it, installed in somebody's project: it can be imported, has types, and its command runs.
import assert from "node:assert/strict";
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { root } from "../../scripts/launch.mjs";
import { run, startTiphys } from "../support/tiphys.ts";

const directory = mkdtempSync(join(tmpdir(), "package-"));
const project = join(directory, "project");
const installed = join(project, "node_modules", "tiphys");
const tsc = join(root, "node_modules/typescript/bin/tsc");

async function succeeds(command: string, ...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await run(command, args, { timeoutMs: 300_000 });
  assert.equal(code, 0, `${command} ${args.join(" ")}:\n${stdout}${stderr}`);
  return stdout;
}

before(async () => {
  // A tree of its own: packing writes into dist/.
  const tree = join(directory, "tree");
  for (const name of [
    "bin",
    "docs",
    "examples",
    "scripts",
    "src",
    "package.json",
    "package-lock.json",
    "tsconfig.json",
    "README.md",
    "LICENSE",
  ])
    cpSync(join(root, name), join(tree, name), { recursive: true });
  symlinkSync(join(root, "node_modules"), join(tree, "node_modules"));
  await succeeds(process.execPath, join(tree, "scripts/bundle/pack.ts")); // npm's prepack, by this Node
  await succeeds("npm", "pack", "--ignore-scripts", "--silent", `--prefix=${tree}`, `--pack-destination=${directory}`, tree);
  const [tarball = ""] = readdirSync(directory).filter((name) => name.endsWith(".tgz"));
  mkdirSync(installed, { recursive: true });
  await succeeds("tar", "-xzf", join(directory, tarball), "-C", installed, "--strip-components=1");
  // What `npm install` would bring along.
  const { dependencies, optionalDependencies } = JSON.parse(readFileSync(join(installed, "package.json"), "utf8"));
  for (const name of [...Object.keys({ ...dependencies, ...optionalDependencies }), "@types/node"]) {
    mkdirSync(join(project, "node_modules", name, ".."), { recursive: true });
    symlinkSync(join(root, "node_modules", name), join(project, "node_modules", name));
  }
  writeFileSync(join(project, "package.json"), JSON.stringify({ type: "module" }));
});
after(() => rmSync(directory, { recursive: true, force: true }));

test("the README's example runs in a project that has installed the package", async () => {
  const [, code = ""] = /```ts\n([\s\S]*?)```/.exec(readFileSync(join(root, "README.md"), "utf8")) ?? [];
  writeFileSync(
    join(project, "example.mjs"),
    `${code}\nconsole.log((await cluster.client.list(deployments)).items[0].status.readyReplicas);`,
  );
  assert.equal(await succeeds(process.execPath, join(project, "example.mjs")), "5\n");
});

test("what the package's doors share is one thing: an error of the cluster is the ApiError that is exported", async () => {
  const code = `import { createCluster } from "tiphys";
import { ApiError, pods } from "tiphys/api";
import { createInformerFactory } from "tiphys/client";
await using cluster = await createCluster();
const error = await cluster.client.get(pods, { namespace: "default", name: "none" }).catch((caught) => caught);
console.log(error instanceof ApiError, error.message, typeof createInformerFactory);`;
  writeFileSync(join(project, "error.mjs"), code);
  assert.equal(await succeeds(process.execPath, join(project, "error.mjs")), 'true pods "none" not found function\n');
});

test("its types are those of the sources: strict programs compile, wrong ones do not", async () => {
  const program = (replicas: string): string => `import { createCluster, type Cluster } from "tiphys";
import { deployments, type Deployment } from "tiphys/api";
import { watchFor } from "tiphys/client";
const cluster: Cluster = await createCluster({ simNodes: 3, seed: 1 });
const web: Deployment = await cluster.client.get(deployments, { namespace: "default", name: "web" });
const replicas: ${replicas} = web.spec?.replicas;
console.log(replicas, watchFor);`;
  const compilerOptions = { noEmit: true, strict: true, target: "esnext", module: "nodenext", types: ["node"] };
  writeFileSync(join(project, "tsconfig.json"), JSON.stringify({ compilerOptions, files: ["program.ts"] }));
  const compile = async (replicas: string) => {
    writeFileSync(join(project, "program.ts"), program(replicas));
    return await run(process.execPath, [tsc, "-p", project]);
  };
  const right = await compile("number | undefined");
  assert.equal(right.code, 0, right.stdout);
  const wrong = await compile("string");
  assert.match(wrong.stdout, /program\.ts.*Type 'number \| undefined' is not assignable to type 'string'/);
});

test("its command serves a cluster", async () => {
  await using cluster = await startTiphys(["--nodes", "0", "--sim-nodes", "1"], { program: join(installed, "bin/tiphys") });
  assert.match((await cluster.kubectl("get", "nodes", "--no-headers")).stdout, /Ready/);
  assert.equal(await cluster.stop(), 0);
});
