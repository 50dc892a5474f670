// Two API servers on three members of a real etcd: what their clients notice when members die, and what a real kube-apiserver left behind.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, suite, test } from "node:test";
import {
  ApiError,
  type ApiObject,
  type ConfigMap,
  configMaps,
  deployments,
  encodeProtobuf,
  type JsonObject,
  nodes,
  type ResourceType,
  type Stored,
} from "#api";
import { ensurePki } from "#apiserver";
import { silentLog, sleep, systemClock, systemFiles, systemRandom } from "#base";
import type { EtcdStore } from "#store";
import objects from "../../src/api/testdata/objects.json" with { type: "json" };
import type { Certificates } from "../store/support/certificates.ts";
import { type Seen, settle, type Target, underLoad } from "../store/support/load.ts";
import { inTurn, type Members, startMembers } from "../store/support/members.ts";
import { type ApiServerProcess, startApiServerProcess } from "../support/api-server.ts";
import { needs } from "../support/tiphys.ts";

const namespace = "default";
const compactionSeconds = 3;
const pause = (ms: number): Promise<void> => sleep(systemClock, ms);
const configMap = (name: string) => ({
  apiVersion: "v1",
  kind: "ConfigMap",
  metadata: { name, namespace, labels: { load: "yes" } },
  data: { name },
});

suite("API servers on three members of etcd", { skip: needs("etcd", "openssl"), timeout: 120_000 }, () => {
  let directory: string;
  let members: Members;
  let store: EtcdStore;
  let startedAt: number;
  const servers: ApiServerProcess[] = [];
  const server = (index: number): ApiServerProcess => servers[index] as ApiServerProcess;

  before(async () => {
    directory = mkdtempSync(join(tmpdir(), "tiphys-etcd-members-"));
    members = await startMembers(3, { tls: true });
    store = await members.open();
    const pki = await ensurePki(`${directory}/pki`, {
      files: systemFiles,
      clock: systemClock,
      random: systemRandom,
      log: silentLog,
      serverNames: ["127.0.0.1"],
    });
    const { ca, certificate, key } = (members.certificates as Certificates).files; // with TLS there are some
    const flags = [
      `--etcd-servers=${members.urls.join(",")}`,
      `--etcd-cafile=${ca}`,
      `--etcd-certfile=${certificate}`,
      `--etcd-keyfile=${key}`,
      `--etcd-compaction-interval=${compactionSeconds}s`,
    ];
    startedAt = performance.now();
    for (const name of ["a", "b"]) servers.push(await startApiServerProcess(directory, name, pki, flags));
  });
  after(async () => {
    await Promise.all(servers.map((each) => each[Symbol.asyncDispose]()));
    await store?.[Symbol.asyncDispose]();
    await members?.[Symbol.asyncDispose]();
    rmSync(directory, { recursive: true, force: true });
  });

  const list = async (index: number): Promise<readonly Stored<ApiObject>[]> =>
    (await server(index).client.list(configMaps, { namespace, labelSelector: "load=yes" })).items;

  test("each member killed in turn: no acknowledged write is lost, no read fails or is stale on the other server, the watch has no gap", async (t) => {
    const { metadata } = await server(1).client.list(configMaps, { namespace });
    const watched: Seen[] = [];
    const abort = new AbortController();
    const watching = (async () => {
      const options = { namespace, labelSelector: "load=yes", resourceVersion: metadata.resourceVersion, signal: abort.signal };
      for await (const event of server(1).client.watch(configMaps, options)) {
        if (event.type === "BOOKMARK") continue;
        const { name = "", resourceVersion } = event.object.metadata;
        watched.push({ name: `${event.type === "ADDED" ? "" : "-"}${name}`, revision: Number(resourceVersion) });
      }
    })();
    let turn = 0;
    const target: Target = {
      write: async (name) => {
        const made = await server(turn++ % 2).client.create(configMaps, configMap(name));
        return Number(made.metadata.resourceVersion);
      },
      read: async () => (await list(turn++ % 2)).map((each) => each.metadata.name ?? ""),
      mayBeApplied: (error) => error instanceof ApiError && error.code >= 500,
    };
    const account = await underLoad(target, { slowMs: 1_000, fastMs: 25 }, () => inTurn(members, 1_200));
    const there = (await list(0)).map(({ metadata: { name = "", resourceVersion } }) => ({
      name,
      revision: Number(resourceVersion),
    }));
    for (let i = 0; i < 600 && watched.length < there.length; i++) await pause(50);
    abort.abort();
    await watching.catch(() => {});
    t.diagnostic(account.report);
    assert.deepEqual(account.failedReads, []);
    settle(account.written, there, watched);
    assert.ok(account.written.length > 100, `only ${account.written.length} writes`);
  });

  test("two members killed: writes say what upstream's say, readiness fails, the process lives; restored, all goes on", async () => {
    await Promise.all([members.kill(0), members.kill(1)]);
    // A connection that died with its member says so to the write that was sent on it. As long as the member that is left takes itself for
    // the leader it gives writes up in its own words; once it knows of no leader it lets their time run out.
    const said =
      /^(rpc error: code = Unavailable|etcdserver: request timed out|Timeout: request did not complete .* context deadline exceeded)/;
    for (const name of ["early", "late"]) {
      const attempt = server(0).client.create(configMaps, configMap(name));
      await assert.rejects(attempt, (error) => {
        assert.ok(error instanceof ApiError, `${name}: ${error}`);
        assert.match(error.message, said);
        assert.equal(error.code, error.message.startsWith("Timeout") ? 504 : 500);
        return true;
      });
    }
    const ready = await server(0).text("/readyz");
    assert.equal(ready.code, 500, ready.body);
    assert.match(ready.body, /^\[-\]etcd failed: reason withheld$/m);
    assert.equal((await server(0).text("/readyz/etcd")).code, 500);
    assert.deepEqual(await server(0).text("/livez"), { code: 200, body: "ok" });
    // What is asked for at any revision needs no etcd.
    await server(0).client.list(configMaps, { namespace, resourceVersion: "0" });
    await Promise.all([members.restart(0), members.restart(1)]);
    for (let i = 0; i < 600 && (await server(0).text("/readyz")).code !== 200; i++) await pause(50);
    assert.deepEqual(await server(0).text("/readyz"), { code: 200, body: "ok" });
    await server(0).client.create(configMaps, configMap("after"));
    for (const { metadata, data } of (await list(1)) as readonly ConfigMap[])
      if (metadata.name === "early" || metadata.name === "late") assert.deepEqual(data, { name: metadata.name });
  });

  test("one of the two servers compacts, in turns", async () => {
    const turnsSoFar = async (): Promise<number> => (await store.get("compact_rev_key"))?.version ?? 0;
    for (let i = 0; i < 600 && (await turnsSoFar()) < 2; i++) await pause(50 * compactionSeconds);
    const turns = await turnsSoFar();
    const periods = (performance.now() - startedAt) / 1000 / compactionSeconds;
    assert.ok(turns <= periods + 2, `${turns} turns in ${periods} periods: each server compacts for itself`);
    assert.ok(turns >= 2, "one sets out, the next compacts");
    const { compactedRevision, revision } = await store.status();
    assert.ok(compactedRevision > 1 && compactedRevision <= revision, `compacted to ${compactedRevision} of ${revision}`);
  });

  test("what a real kube-apiserver has stored as protobuf is served as JSON, and stored as JSON when it is changed", async () => {
    const golden = objects as unknown as Readonly<Record<string, { readonly json: ApiObject }>>;
    const cases: readonly (readonly [string, string, ResourceType])[] = [
      ["core.v1.ConfigMap", "/registry/configmaps/default/old", configMaps],
      ["apps.v1.Deployment", "/registry/deployments/default/old", deployments],
      ["core.v1.Node", "/registry/minions/old", nodes],
    ];
    const ref = { namespace, name: "old" };
    const put = async (key: string, object: ApiObject): Promise<string> => {
      const value = encodeProtobuf(object as unknown as JsonObject);
      assert.equal(value.toString("latin1", 0, 4), "k8s\0");
      return String((await store.transact({ if: [], then: [{ kind: "put", key, value }] })).revision);
    };
    for (const [name, key, type] of cases) {
      const { json } = golden[name] as (typeof golden)[string];
      const { selfLink: _, ...metadata } = json.metadata; // no longer served by anybody
      const object: ApiObject = { ...json, metadata: { ...metadata, ...ref } };
      const resourceVersion = await put(key, object);
      assert.deepEqual(await server(0).client.get(type, type.namespaced ? ref : { name: "old" }), {
        ...object,
        metadata: { ...object.metadata, resourceVersion },
      });
    }
    const key = "/registry/configmaps/default/old";
    const { uid, creationTimestamp } = (golden["core.v1.ConfigMap"] as (typeof golden)[string]).json.metadata;
    const plain = { ...configMap("old"), metadata: { ...ref, uid, creationTimestamp } };
    await put(key, plain as ApiObject);
    await server(1).client.patch(configMaps, ref, { type: "merge", body: { data: { more: "yes" } } });
    const stored = JSON.parse((await store.get(key))?.value.toString() ?? "") as typeof plain;
    assert.deepEqual(stored.data, { name: "old", more: "yes" });
    assert.equal(stored.metadata.uid, uid);
  });
});
