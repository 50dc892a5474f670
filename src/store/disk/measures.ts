// What the disk store measures of itself, under etcd's names (and two of our own where etcd has none).
import { counter, Distribution, exponential, gauge, stateMeasures, type WatchCounts } from "../engine/measures.ts";
import type { LogEntry, State } from "../engine/state.ts";
import type { StoreMeasure } from "../store.ts";
import type { Sizes, Times } from "./protocol.ts";

export class Measures {
  readonly #sync = new Distribution(
    "etcd_disk_wal_fsync_duration_seconds",
    "The latency distributions of fsync called by WAL.",
    exponential(0.001, 2, 14),
  );
  readonly #commit = new Distribution(
    "etcd_disk_backend_commit_duration_seconds",
    "The latency distributions of commit called by backend.",
    exponential(0.001, 2, 14),
  );
  readonly #batch = new Distribution("tiphys_store_batch_changes", "Changes made durable by one fsync.", exponential(1, 2, 14));
  readonly #compactionPause = new Distribution(
    "etcd_debugging_mvcc_db_compaction_pause_duration_milliseconds",
    "Bucketed histogram of db compaction pause duration.",
    exponential(1, 2, 13),
  );
  readonly #compactionTotal = new Distribution(
    "etcd_debugging_mvcc_db_compaction_total_duration_milliseconds",
    "Bucketed histogram of db compaction total duration.",
    exponential(100, 2, 14),
  );
  #compactedRows = 0;
  #lastCompactionSeconds = 0;
  #puts = 0;
  #deletes = 0;
  #transactions = 0;
  #ranges = 0;

  /** A batch is durable. */
  committed(entries: readonly LogEntry[], { commitMs, syncMs }: Times): void {
    let changes = 0;
    for (const entry of entries) {
      changes += entry.changes.length;
      for (const { version } of entry.changes) {
        if (version.version === 0) this.#deletes++;
        else this.#puts++;
      }
    }
    this.#batch.observe(changes);
    this.#commit.observe(commitMs / 1000);
    this.#sync.observe(syncMs / 1000);
  }

  transaction(): void {
    this.#transactions++;
  }

  range(): void {
    this.#ranges++;
  }

  /** One small step of a compaction, which others waited behind. */
  compactionStep(rows: number, { commitMs }: Times): void {
    this.#compactedRows += rows;
    this.#compactionPause.observe(commitMs);
  }

  /** Times of the store's clock, in milliseconds since 1970. */
  compactionDone(fromMs: number, toMs: number): void {
    this.#compactionTotal.observe(toMs - fromMs);
    this.#lastCompactionSeconds = toMs / 1000;
  }

  all(now: {
    readonly state: State;
    readonly sizes: Sizes;
    readonly quotaBytes: number;
    readonly watches: WatchCounts;
  }): readonly StoreMeasure[] {
    const { state, sizes, watches } = now;
    return [
      this.#sync.measure,
      this.#commit.measure,
      this.#batch.measure,
      gauge(
        "etcd_mvcc_db_total_size_in_bytes",
        "Total size of the underlying database physically allocated in bytes.",
        sizes.bytes,
      ),
      gauge(
        "etcd_mvcc_db_total_size_in_use_in_bytes",
        "Total size of the underlying database logically in use in bytes.",
        sizes.bytesInUse,
      ),
      gauge("tiphys_store_wal_size_in_bytes", "Size of the write-ahead log's file.", sizes.walBytes),
      gauge("etcd_server_quota_backend_bytes", "Current backend storage quota size in bytes.", now.quotaBytes),
      counter("etcd_mvcc_put_total", "Total number of puts seen by this member.", this.#puts),
      counter("etcd_mvcc_delete_total", "Total number of deletes seen by this member.", this.#deletes),
      counter("etcd_mvcc_txn_total", "Total number of txns seen by this member.", this.#transactions),
      counter("etcd_mvcc_range_total", "Total number of ranges seen by this member.", this.#ranges),
      ...stateMeasures(state, watches),
      this.#compactionPause.measure,
      this.#compactionTotal.measure,
      counter("etcd_debugging_mvcc_db_compaction_keys_total", "Total number of db keys compacted.", this.#compactedRows),
      gauge(
        "etcd_debugging_mvcc_db_compaction_last",
        "The unix time of the last db compaction. Resets to 0 on start.",
        this.#lastCompactionSeconds,
      ),
    ];
  }
}
