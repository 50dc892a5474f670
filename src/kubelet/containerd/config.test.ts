// What our containerd is told.
import assert from "node:assert/strict";
import { test } from "node:test";
import { containerdConfig } from "./config.ts";

const paths = { root: "/r", state: "/s", socket: "/s/c.sock", cniConfiguration: "/cni" };
const configWith = (handlers: readonly (readonly [string, string])[]): string =>
  containerdConfig(paths, { restrictOomScore: false, cniBinaries: "/usr/lib/cni", handlers: new Map(handlers) });

test("containerd offers runc, and other handlers only where they are installed", () => {
  const section = (name: string): RegExp =>
    new RegExp(`\\.containerd\\.runtimes\\.${name}\\]\\n +runtime_type = "io\\.containerd\\.runc\\.v2"`);
  assert.match(configWith([]), section("runc"));
  assert.doesNotMatch(configWith([]), /crun/);
  const both = configWith([["crun", "/usr/bin/crun"]]);
  assert.match(both, section("runc"));
  assert.match(both, section("crun"));
  assert.match(both, /runtimes\.crun\.options\]\n +BinaryName = "\/usr\/bin\/crun"/);
  assert.match(both, /default_runtime_name = "runc"/);
});
