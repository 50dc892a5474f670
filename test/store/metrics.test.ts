// The store's figures on the API server's /metrics page, under etcd's and upstream's names.
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { startApiServer } from "#apiserver";
import { seededRandom, silentLog, systemClock, systemFiles } from "#base";
import { openMemoryStore, type Store } from "#store";
import { openStore, Scratch } from "./support/scratch.ts";

const admin = { name: "admin", groups: ["system:masters", "system:authenticated"] };

async function serve(store: Store) {
  const server = await startApiServer(
    { listen: false },
    { store, clock: systemClock, random: seededRandom(1), files: systemFiles, log: silentLog },
  );
  const call = (method: "GET" | "POST" | "DELETE", path: string, body?: unknown) =>
    server.handle({ method, path, query: {}, body, user: admin, userAgent: "test/1.0" });
  return {
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
    call,
    metrics: async (): Promise<Metrics> => {
      const reply = (await call("GET", "/metrics")) as { readonly code: number; readonly object?: unknown };
      assert.equal(reply.code, 200);
      return metricsOf(String(reply.object));
    },
  };
}

interface Metrics {
  /** By name and labels as they are written. */
  readonly values: ReadonlyMap<string, number>;
  readonly types: ReadonlyMap<string, string>;
}

/** Every line must be of the text format. */
function metricsOf(page: string): Metrics {
  const values = new Map<string, number>();
  const types = new Map<string, string>();
  for (const line of page.split("\n")) {
    const [, name = "", type = ""] = /^# TYPE (\S+) (counter|gauge|histogram)$/.exec(line) ?? [];
    if (name !== "") {
      assert.ok(!types.has(name), `"${name}" is there twice`);
      types.set(name, type);
    }
    if (line === "" || line.startsWith("#")) continue;
    const found = /^([a-z_]+(?:\{[^}]*\})?) (\S+)$/.exec(line);
    assert.ok(found !== null, `not a sample: ${line}`);
    values.set(found[1] as string, Number(found[2]));
  }
  return { values, types };
}

const configMap = { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "one", namespace: "default" } };
const path = "/api/v1/namespaces/default/configmaps";

suite("store metrics on /metrics", () => {
  test("the disk store tells fsync, commit, batches, sizes, keys, watchers and compaction", async () => {
    using scratch = new Scratch("metrics", { inMemory: true });
    await using store = await openStore(scratch.path);
    await using server = await serve(store);
    const before = (await server.metrics()).values;
    await server.call("POST", path, configMap);
    await server.call("DELETE", `${path}/one`);
    const { values, types } = await server.metrics();
    const grown = (name: string): number => (values.get(name) ?? Number.NaN) - (before.get(name) ?? 0);

    assert.equal(grown("etcd_mvcc_put_total"), 1);
    assert.equal(grown("etcd_mvcc_delete_total"), 1);
    assert.equal(grown("etcd_mvcc_txn_total"), 2);
    for (const name of ["etcd_disk_wal_fsync_duration_seconds", "etcd_disk_backend_commit_duration_seconds"]) {
      assert.equal(types.get(name), "histogram");
      assert.equal(grown(`${name}_count`), 2, name);
      assert.ok(grown(`${name}_sum`) > 0, name);
      assert.equal(values.get(`${name}_bucket{le="+Inf"}`), values.get(`${name}_count`));
      assert.ok(values.has(`${name}_bucket{le="0.001"}`) && values.has(`${name}_bucket{le="8.192"}`));
    }
    assert.equal(grown("tiphys_store_batch_changes_sum"), 2);
    assert.equal(values.get("etcd_debugging_mvcc_current_revision"), store.revision);
    assert.equal(values.get("etcd_debugging_mvcc_keys_total"), (await store.status()).keyCount);
    assert.equal(values.get("etcd_debugging_mvcc_watcher_total"), 1);
    assert.equal(values.get("etcd_debugging_mvcc_slow_watcher_total"), 0);
    const inUse = values.get("etcd_mvcc_db_total_size_in_use_in_bytes") ?? 0;
    assert.ok(inUse > 0 && inUse <= (values.get("etcd_mvcc_db_total_size_in_bytes") ?? 0));
    assert.equal(values.get("etcd_server_quota_backend_bytes"), 8 * 1024 ** 3);
  });

  test("compaction is counted when its rows are gone", async () => {
    using scratch = new Scratch("metrics", { inMemory: true });
    await using store = await openStore(scratch.path);
    await using server = await serve(store);
    await server.call("POST", path, configMap);
    await server.call("DELETE", `${path}/one`);
    const { revision } = store;
    await store.transact({ if: [], then: [{ kind: "put", key: "later", value: Buffer.from("x") }] });
    await store.compact(revision + 1);
    const total = "etcd_debugging_mvcc_db_compaction_total_duration_milliseconds_count";
    let values = (await server.metrics()).values;
    for (; values.get(total) !== 1; values = (await server.metrics()).values) await new Promise((next) => setImmediate(next));
    // The ConfigMap and its deletion; others may have been replaced while the server started.
    assert.ok((values.get("etcd_debugging_mvcc_db_compaction_keys_total") ?? 0) >= 2);
    assert.equal(values.get("etcd_debugging_mvcc_compact_revision"), revision + 1);
    assert.ok((values.get("etcd_debugging_mvcc_db_compaction_last") ?? 0) > 1e9);
    assert.ok((values.get("etcd_debugging_mvcc_db_compaction_pause_duration_milliseconds_count") ?? 0) >= 1);
  });

  test("requests to any store are timed by operation, group and resource; failed ones are counted", async () => {
    const store = openMemoryStore({ clock: systemClock });
    await using server = await serve(store);
    const before = (await server.metrics()).values;
    await server.call("POST", path, configMap);
    await server.call("POST", "/apis/apps/v1/namespaces/default/controllerrevisions", {
      apiVersion: "apps/v1",
      kind: "ControllerRevision",
      metadata: { name: "one" },
      data: {},
      revision: 1,
    });
    await server.call("DELETE", `${path}/one`);
    const { values, types } = await server.metrics();
    const grown = (name: string): number => (values.get(name) ?? Number.NaN) - (before.get(name) ?? 0);
    const of = (operation: string, group: string, resource: string): string =>
      `{operation="${operation}",group="${group}",resource="${resource}"}`;
    for (const labels of [
      of("create", "", "configmaps"),
      of("create", "apps", "controllerrevisions"),
      of("delete", "", "configmaps"),
    ]) {
      assert.equal(grown(`etcd_requests_total${labels}`), 1, labels);
      assert.equal(grown(`etcd_request_duration_seconds_count${labels}`), 1, labels);
    }
    assert.equal(types.get("etcd_request_duration_seconds"), "histogram");
    assert.equal(types.get("etcd_request_errors_total"), "counter");
    assert.equal(grown('apiserver_storage_events_received_total{group="",resource="configmaps"}'), 2);
    assert.equal(values.get('apiserver_storage_size_bytes{storage_cluster_id="etcd-0"}'), 0);
    assert.equal(types.get("apiserver_storage_objects"), "gauge");
    assert.ok(values.has("etcd_debugging_mvcc_keys_total"));

    await store[Symbol.asyncDispose]();
    await server.call("POST", path, configMap);
    const afterwards = (await server.metrics()).values;
    assert.equal(afterwards.get(`etcd_request_errors_total${of("create", "", "configmaps")}`), 1);
    assert.ok(
      !afterwards.has('apiserver_storage_size_bytes{storage_cluster_id="etcd-0"}'),
      "a store that does not answer has no size",
    );
  });
});
