import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { systemFiles } from "#base";
import { connection, type Overrides, readConfig } from "./config.ts";

const none: Overrides = {
  context: undefined,
  cluster: undefined,
  user: undefined,
  server: undefined,
  token: undefined,
  certificateAuthority: undefined,
  insecureSkipTlsVerify: false,
  tlsServerName: undefined,
};

const config = (name: string, more = ""): string => `apiVersion: v1
kind: Config
current-context: ${name}
clusters: [{name: ${name}, cluster: {server: "https://${name}:6443", certificate-authority: ca.crt}}, {name: both, cluster: {server: "https://from-${name}"}}]
users: [{name: ${name}, user: {token: secret-${name}}}]
contexts: [{name: ${name}, context: {cluster: ${name}, user: ${name}, namespace: of-${name}}}]
${more}`;

describe("the user's kubeconfig", () => {
  let home: string;
  const place = (more: { explicit?: string; variable?: string } = {}) => ({
    explicit: undefined,
    variable: undefined,
    home,
    ...more,
  });
  before(() => {
    home = mkdtempSync(join(tmpdir(), "kubeconfig-"));
    mkdirSync(join(home, ".kube"));
    writeFileSync(join(home, ".kube/config"), config("standard"));
    for (const name of ["one", "two"]) writeFileSync(join(home, name), config(name));
    for (const path of ["ca.crt", ".kube/ca.crt"]) writeFileSync(join(home, path), `authority in ${path}`);
    writeFileSync(join(home, "broken"), "clusters: [");
  });
  after(() => rmSync(home, { recursive: true, force: true }));

  test("is ~/.kube/config, whose file names count from where it is", async () => {
    const found = await connection(await readConfig(place(), systemFiles), none, systemFiles);
    assert.deepEqual(
      [found.server, found.token, found.namespace, String(found.ca)],
      ["https://standard:6443", "secret-standard", "of-standard", "authority in .kube/ca.crt"],
    );
  });

  test("is every file of KUBECONFIG, the first that says something wins, files that are not there are passed over", async () => {
    const variable = ["", "absent", "two", "one"].map((name) => (name === "" ? "" : join(home, name))).join(":");
    const merged = await readConfig(place({ variable }), systemFiles);
    assert.equal(merged.currentContext, "two");
    assert.deepEqual(
      merged.clusters.map(({ name }) => name),
      ["two", "both", "one"],
    );
    const other = await connection(merged, { ...none, context: "one" }, systemFiles);
    assert.equal(other.server, "https://one:6443");
    assert.equal((await connection(merged, { ...none, cluster: "both" }, systemFiles)).server, "https://from-two");
  });

  test("is the one of --kubeconfig, which must be there and must be one", async () => {
    await assert.rejects(
      readConfig(place({ explicit: join(home, "absent") }), systemFiles),
      /error: stat .*absent: no such file or directory/,
    );
    await assert.rejects(
      readConfig(place({ explicit: join(home, "broken") }), systemFiles),
      /error: error loading config file ".*broken": yaml/,
    );
  });

  test("gives way to --server, --token and --insecure-skip-tls-verify", async () => {
    const overrides = { ...none, server: "elsewhere:1", token: "t", insecureSkipTlsVerify: true };
    const found = await connection(await readConfig(place(), systemFiles), overrides, systemFiles);
    assert.deepEqual(
      [found.server, found.token, found.insecureSkipTlsVerify, found.ca],
      ["https://elsewhere:1", "t", true, undefined],
    );
  });

  test("names that are not in it are refused, and no cluster at all says what to do", async () => {
    const merged = await readConfig(place(), systemFiles);
    await assert.rejects(
      connection(merged, { ...none, context: "x" }, systemFiles),
      /context was not found for specified context: x/,
    );
    await assert.rejects(connection(merged, { ...none, user: "x" }, systemFiles), /auth info "x" does not exist/);
    await assert.rejects(connection(merged, { ...none, cluster: "x" }, systemFiles), /no server found for cluster "x"/);
    const empty = await readConfig({ ...place(), home: join(home, "nobody") }, systemFiles);
    await assert.rejects(connection(empty, none, systemFiles), /no cluster is configured: `tiphys up` writes one/);
  });
});
