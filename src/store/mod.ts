// The front door of `store`: etcd's data model behind one interface, and what implements it.
export { compactPeriodically } from "./compactor.ts";
export { assertStore, type CheckReport, checkStore } from "./disk/check.ts";
export { claimDirectory } from "./disk/claim.ts";
export type { DiskStore, DiskStoreOptions } from "./disk/disk-store.ts";
export { writeWhole } from "./disk/files.ts";
export { openDiskStore } from "./disk/open.ts";
export { type RestoreOptions, restoreSnapshot, saveSnapshot, snapshotStatus } from "./disk/snapshot.ts";
export type { History, HistoryRecord } from "./engine/history.ts";
export { type EtcdStore, type EtcdStoreOptions, openEtcdStore } from "./etcd/etcd-store.ts";
export { type EtcdMember, type MemberHash, openEtcdMember } from "./etcd/maintenance-client.ts";
export { type EtcdServer, type EtcdServerOptions, startEtcdServer } from "./etcd/server.ts";
export { MemoryStore, type MemoryStoreOptions, openMemoryStore } from "./memory.ts";
export { hashHistory, type KeyValueHash } from "./snapshot/hash.ts";
export type { SnapshotStatus } from "./snapshot/read.ts";
export { replay } from "./snapshot/replay.ts";
export {
  type Compare,
  type Key,
  type KeyValue,
  keyFromText,
  type Lease,
  type Operation,
  type OperationResult,
  type PutOperation,
  prefixEnd,
  type RangeOptions,
  type RangeResult,
  type Revision,
  revisionSlotLength,
  type Store,
  StoreError,
  type StoreErrorCode,
  type StoreEvent,
  type StoreMeasure,
  type StoreStatus,
  type StoreWatch,
  type Transaction,
  type TransactionResult,
  type WatchBatch,
  WatchCancelled,
  type WatchRequest,
} from "./store.ts";
