// An API server in memory for tests, and short words to talk to it.
import { seededRandom, silentLog, systemFiles, VirtualClock } from "#base";
import type { ApiReply, HttpMethod, UserInfo, WatchFrame } from "#client";
import { openMemoryStore, type Store } from "#store";
import type { AuditSink } from "../contract.ts";
import { newServiceAccountKey } from "../security/mod.ts";
import { type ApiServerOptions, type RunningApiServer, startApiServer } from "../start.ts";

let key: ReturnType<typeof newServiceAccountKey> | undefined;

export const admin: UserInfo = { name: "admin", groups: ["system:masters", "system:authenticated"] };

// biome-ignore lint/suspicious/noExplicitAny: tests look into objects of every kind
type Answered = { readonly code: number; readonly object: any; readonly warnings?: readonly string[] };

export interface TestServer extends AsyncDisposable {
  readonly server: RunningApiServer;
  readonly clock: VirtualClock;
  readonly store: Store;
  call(
    method: HttpMethod,
    path: string,
    body?: unknown,
    options?: { readonly query?: Record<string, string>; readonly contentType?: string; readonly user?: UserInfo },
  ): Promise<Answered>;
  watch(path: string, query?: Record<string, string>): Promise<AsyncIterator<WatchFrame>>;
}

/** `existing`: the store of another server, which stays open. */
export async function testServer(options: ApiServerOptions = {}, existing?: Store, audit?: AuditSink): Promise<TestServer> {
  const clock = new VirtualClock();
  key ??= newServiceAccountKey();
  const store = existing ?? openMemoryStore({ clock });
  const server = await startApiServer(
    { listen: false, freezeObjects: true, serviceAccountKey: await key, ...options },
    { store, clock, random: seededRandom(1), files: systemFiles, log: silentLog, ...(audit === undefined ? {} : { audit }) },
  );
  const send = (
    method: HttpMethod,
    path: string,
    body: unknown,
    query: Record<string, string>,
    contentType?: string,
    user: UserInfo = admin,
  ): Promise<ApiReply> =>
    server.handle({
      method,
      path,
      query,
      body,
      user,
      userAgent: "test/1.0",
      ...(contentType === undefined ? {} : { contentType }),
    });
  return {
    server,
    clock,
    store,
    call: async (method, path, body, more = {}) =>
      (await send(method, path, body, more.query ?? {}, more.contentType, more.user)) as Answered,
    watch: async (path, query = {}) => {
      const reply = await send("GET", path, undefined, { watch: "true", ...query });
      if (!("frames" in reply)) throw new Error(`the watch was refused: ${JSON.stringify(reply.object)}`);
      return reply.frames[Symbol.asyncIterator]();
    },
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

export const configMap = (name: string, more: object = {}): object => ({
  apiVersion: "v1",
  kind: "ConfigMap",
  metadata: { name },
  ...more,
});
export const pod = (name: string, spec: object = {}): object => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name },
  spec: { containers: [{ name: "c", image: "i:1" }], automountServiceAccountToken: false, ...spec },
});
export const serviceAccount = { apiVersion: "v1", kind: "ServiceAccount", metadata: { name: "default" } };
