// etcd's Maintenance service: status, alarms, hashes, defragmentation.
import type { Clock } from "#base";
import type { History } from "../engine/history.ts";
import { hashHistory } from "../snapshot/hash.ts";
import type { Store } from "../store.ts";
import type { FacadeStream, FacadeStreamHandler, Unary } from "./facade.ts";
import { FacadeError } from "./facade-errors.ts";
import { SnapshotStream } from "./snapshot-stream.ts";
import type { WireHeader } from "./wire.ts";

/** What some stores can do beyond `Store`. */
export interface Maintained {
  defragment?(): Promise<void>;
  clearNoSpace?(): Promise<boolean>;
  history?(): Promise<History>;
}

interface MaintenanceOptions {
  readonly store: Store & Maintained;
  readonly clock: Clock;
  readonly memberId: bigint;
  readonly header: (revision?: number) => WireHeader;
}

/** The version of etcd whose answers we give; clients choose features by it. */
const etcdVersion = "3.6.4";

export function maintenanceService({ store, clock, memberId, header }: MaintenanceOptions): {
  readonly unary: Readonly<Record<string, Unary>>;
  readonly streams: Readonly<Record<string, (stream: FacadeStream) => FacadeStreamHandler>>;
} {
  const openHistory = async (): Promise<History> => {
    if (store.history !== undefined) return store.history();
    throw new FacadeError("UNIMPLEMENTED", "Cannot read all history: it is kept by the etcd underneath, ask that one");
  };

  const hash = async (revision: number) => {
    using history = await openHistory();
    const found = await hashHistory(history, revision);
    return { hash: found.hash, compact_revision: found.compactedRevision, hash_revision: found.revision };
  };

  const alarms = async (): Promise<object[]> => {
    const { alarm } = await store.status();
    if (alarm === undefined) return [];
    return [{ memberID: memberId, alarm: alarm.kind === "NOSPACE" ? "NOSPACE" : "CORRUPT" }];
  };

  const unary: Record<string, Unary> = {
    "Maintenance.Status": async () => {
      const { sizeBytes, sizeInUseBytes, revision, alarm } = await store.status();
      return {
        header: header(revision),
        version: etcdVersion,
        dbSize: sizeBytes,
        dbSizeInUse: sizeInUseBytes,
        leader: memberId,
        // There is no raft; numbers that grow with the store satisfy those who compare them.
        raftIndex: revision,
        raftAppliedIndex: revision,
        raftTerm: 2,
        errors: alarm === undefined ? [] : [`${alarm.kind}: ${alarm.message}`],
        storageVersion: "3.6.0",
      };
    },
    "Maintenance.HashKV": async (request) => ({ header: header(), ...(await hash(Number(request["revision"]))) }),
    "Maintenance.Hash": async () => ({ header: header(), hash: (await hash(0)).hash }),
    "Maintenance.Alarm": async (request) => {
      if (request["action"] === "DEACTIVATE") await store.clearNoSpace?.();
      else if (request["action"] === "ACTIVATE")
        throw new FacadeError("UNIMPLEMENTED", "Cannot raise an alarm: Tiphys raises its own");
      return { header: header(), alarms: await alarms() };
    },
    "Maintenance.Defragment": async () => {
      await store.defragment?.();
      return { header: header() };
    },
  };

  return {
    unary,
    streams: { "Maintenance.Snapshot": (stream) => new SnapshotStream({ clock, stream, header, open: openHistory }) },
  };
}
