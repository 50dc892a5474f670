// `tiphys up` where something is in the way: a sentence with the next step, nothing changed, nothing left.
import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { type CommandResult, needs, run, startTiphys } from "../support/tiphys.ts";

const main = join(import.meta.dirname, "../../src/cli/main.ts");

describe("tiphys up", { concurrency: false }, () => {
  let directory: string;
  before(() => {
    directory = mkdtempSync(join(tmpdir(), "up-"));
  });
  after(() => rmSync(directory, { recursive: true, force: true }));
  const dataDir = (name: string): string => join(directory, name);
  /** Ends by itself, because it cannot start. */
  const up = (...flags: string[]): Promise<CommandResult> =>
    run(process.execPath, [main, "up", "--nodes", "0", "--sim-nodes", "1", "--api-port", "0", ...flags]);
  const refused = async (message: RegExp, ...flags: string[]): Promise<void> => {
    const { code, stderr, stdout } = await up(...flags);
    assert.match(stderr, message);
    assert.equal(code, 1, stdout);
  };

  test("a port that is taken is named, with the flag that chooses another", async () => {
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(0, "127.0.0.1", resolve));
    const { port } = other.address() as { port: number };
    await refused(
      new RegExp(`^tiphys: Cannot listen on 127\\.0\\.0\\.1:${port}: .*--api-port`),
      "--data-dir",
      dataDir("port"),
      "--api-port",
      `${port}`,
    );
    other.close();
  });

  test("a second one on the same data directory is refused; the first goes on", { skip: needs("kubectl") }, async () => {
    const first = await startTiphys(["--nodes", "0", "--sim-nodes", "1"], { dataDir: dataDir("shared") });
    await refused(
      /^tiphys: Cannot use data directory ".*shared": tiphys with pid \d+ is using it: stop it or choose another with --data-dir/,
      "--data-dir",
      dataDir("shared"),
    );
    assert.equal((await first.kubectl("create", "configmap", "still-here")).code, 0);
    assert.equal(await first.stop(), 0);
  });

  test("a data directory that is a file is refused", async () => {
    writeFileSync(dataDir("file"), "somebody's");
    await refused(/^tiphys: Cannot .*"[^"]*file/, "--data-dir", dataDir("file"));
    assert.equal(readFileSync(dataDir("file"), "utf8"), "somebody's");
  });

  test("a store that is not a database is refused with the next step, and left as it is", async () => {
    const first = await startTiphys(["--nodes", "0", "--sim-nodes", "1"], { dataDir: dataDir("damaged") });
    await first.stop();
    const files = readdirSync(join(dataDir("damaged"), "store")).filter((name) => /\.(db|sqlite)/.test(name));
    assert.ok(files.length > 0);
    for (const name of files) writeFileSync(join(dataDir("damaged"), "store", name), Buffer.alloc(65_536, "x"));
    await refused(/^tiphys: Cannot open the store ".*": .*restore a snapshot/, "--data-dir", dataDir("damaged"));
    for (const name of files) assert.ok(readFileSync(join(dataDir("damaged"), "store", name)).equals(Buffer.alloc(65_536, "x")));
  });

  test("the cluster is added to a kubeconfig, and what is in it stays", async () => {
    const path = dataDir("kubeconfig");
    writeFileSync(path, "kind: Config\nclusters:\n- {name: work, cluster: {server: https://work}}\n");
    const cluster = await startTiphys(["--nodes", "0", "--sim-nodes", "1", "--kubeconfig", path]);
    await cluster[Symbol.asyncDispose]();
    assert.match(
      readFileSync(path, "utf8"),
      /server: https:\/\/work\n.*name: tiphys\n.*current-context: kubernetes-admin@tiphys\n/s,
    );
  });

  test("a file that is no kubeconfig is not touched", async () => {
    const path = dataDir("notes");
    writeFileSync(path, "kind: Notes\n");
    await refused(
      /^tiphys: Cannot add this cluster to the kubeconfig ".*notes": its kind is "Notes", not "Config"/,
      "--data-dir",
      dataDir("with-notes"),
      "--kubeconfig",
      path,
    );
    assert.equal(readFileSync(path, "utf8"), "kind: Notes\n");
  });

  for (const [flags, message] of [
    [["--service-cidr", "10.0.0.0"], /10\.0\.0\.0/],
    [["--store", "etcd"], /Cannot use --store etcd: name its members with --etcd-servers/],
    [["--token-auth-file", "/nothing/there"], /\/nothing\/there/],
  ] as const)
    test(`${flags.join(" ")} is refused, and no cluster is left behind`, async () => {
      const data = dataDir(flags[0].slice(2));
      await refused(message, "--data-dir", data, ...flags);
      // a cluster can be started there at once: nothing holds the directory
      assert.ok(!existsSync(join(data, "admin.kubeconfig")));
      const cluster = await startTiphys(["--nodes", "0", "--sim-nodes", "1"], { dataDir: data });
      assert.equal(await cluster.stop(), 0);
    });

  test("an unknown flag is refused with the nearest one", async () => {
    const { stderr, code } = await up("--sim-node", "3");
    assert.match(stderr, /unknown option '--sim-node'\n\(Did you mean --sim-nodes\?\)/);
    assert.equal(code, 1);
  });
});
