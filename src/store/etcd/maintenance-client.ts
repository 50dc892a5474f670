// One etcd member asked for its snapshot and its hash (a store asks the whole cluster, these are each member's own).
import { GrpcError, openGrpcChannel } from "#base";
import { type Revision, StoreError } from "../store.ts";
import type { EtcdTls } from "./endpoints.ts";
import { etcdMessages, type Int } from "./wire.ts";

export interface MemberHash {
  readonly hash: number;
  /** -1 or 0: never compacted. */
  readonly compactedRevision: number;
}

export interface EtcdMember extends AsyncDisposable {
  /** The bytes of its database and their SHA-256. Throws StoreError "unavailable". */
  snapshot(): AsyncIterable<Buffer>;
  /** Over all history up to a revision. Throws StoreError "unavailable". */
  hash(revision: Revision): Promise<MemberHash>;
}

const service = "etcdserverpb.Maintenance";
const maxMessageBytes = 64 * 1024 * 1024;
const timeoutMs = 60_000;

/** `url`: "https://127.0.0.1:2379". Connects on first use. */
export async function openEtcdMember(url: string, tls?: EtcdTls): Promise<EtcdMember> {
  const address = url.replace(/^https?:\/\//, "");
  const channel = await openGrpcChannel({
    address,
    ...(tls === undefined || url.startsWith("http:") ? {} : { tls }),
    messages: etcdMessages,
    maxMessageBytes,
  });
  const method = (name: string) => ({
    path: `/${service}/${name}`,
    request: `etcdserverpb.${name}Request`,
    response: `etcdserverpb.${name}Response`,
  });
  const failure = (error: unknown): unknown =>
    error instanceof GrpcError
      ? new StoreError("unavailable", `Cannot reach etcd at "${url}": ${error.message}`, { cause: error })
      : error;
  return {
    async *snapshot() {
      try {
        for await (const { blob } of channel.serverStream(method("Snapshot"), {})) yield blob as Buffer;
      } catch (error) {
        throw failure(error);
      }
    },
    async hash(revision) {
      try {
        const answer = await channel.unary(method("HashKV"), { revision }, { timeoutMs });
        return { hash: Number(answer["hash"]), compactedRevision: Number(answer["compact_revision"] as Int) };
      } catch (error) {
        throw failure(error);
      }
    },
    [Symbol.asyncDispose]: async () => channel.close(),
  };
}
