// The gRPC listener of the etcd API (a border module: it opens a port).
import type * as Grpc from "@grpc/grpc-js";
import type { Clock, Log, Running } from "#base";
import type { Store } from "../store.ts";
import { etcdFacade, type FacadeStreamHandler, missing, statusFor } from "./facade.ts";
import { etcdMessages, etcdTables } from "./wire.ts";

export interface EtcdServerOptions {
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Log;
  /** "127.0.0.1:2379"; port 0: any. */
  readonly listen: string;
  /** PEM. Clients must show a certificate of `ca`. Absent: plain text, for tests on the loopback only. */
  readonly tls?: { readonly ca: string; readonly certificate: string; readonly key: string };
}

export interface EtcdServer extends Running {
  /** "https://127.0.0.1:2379" */
  readonly url: string;
}

/** Larger than etcd's own request limit, so that the answer is etcd's text and not gRPC's. */
const maxMessageBytes = 8 * 1024 * 1024;

/** Serves `store` until disposed; open streams are then ended. Rejects when the port is taken. */
export async function startEtcdServer(options: EtcdServerOptions): Promise<EtcdServer> {
  const grpc = await import("@grpc/grpc-js");
  const { tls } = options;
  let url = "";
  const facade = etcdFacade({
    store: options.store,
    clock: options.clock,
    clientUrls: () => [url],
    clusterId: 0x7469_7068_7973n,
    memberId: 0x7469_7068_7901n,
  });
  const server = new grpc.Server({ "grpc.max_receive_message_length": maxMessageBytes, "grpc.max_send_message_length": -1 });
  for (const service of ["KV", "Watch", "Lease", "Cluster", "Maintenance", "Auth"]) addService(grpc, server, service, facade);
  const credentials =
    tls === undefined
      ? grpc.ServerCredentials.createInsecure()
      : grpc.ServerCredentials.createSsl(
          Buffer.from(tls.ca),
          [{ private_key: Buffer.from(tls.key), cert_chain: Buffer.from(tls.certificate) }],
          true,
        );
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync(options.listen, credentials, (error, bound) =>
      error === null ? resolve(bound) : reject(listenError(options.listen, error)),
    );
  });
  url = `${tls === undefined ? "http" : "https"}://${options.listen.slice(0, options.listen.lastIndexOf(":"))}:${port}`;
  options.log.info("serving the etcd API", { url });
  return {
    url,
    ready: () => undefined,
    [Symbol.asyncDispose]: async () => server.forceShutdown(),
  };
}

const listenError = (address: string, cause: Error): Error =>
  new Error(`Cannot serve the etcd API on "${address}": ${cause.message}; is the port taken? Choose another with --etcd-listen`, {
    cause,
  });

function addService(grpc: typeof Grpc, server: Grpc.Server, service: string, facade: ReturnType<typeof etcdFacade>): void {
  const definition: Record<string, Grpc.MethodDefinition<object, object>> = {};
  const implementation: Grpc.UntypedServiceImplementation = {};
  for (const method of etcdTables.services.get(`etcdserverpb.${service}`) ?? []) {
    const name = `${service}.${method.name}`;
    definition[method.name] = {
      path: `/etcdserverpb.${service}/${method.name}`,
      requestStream: method.requestStream,
      responseStream: method.responseStream,
      requestSerialize: (message) => etcdMessages.encode(method.request, message),
      requestDeserialize: (bytes) => etcdMessages.decode(method.request, bytes),
      responseSerialize: (message) => etcdMessages.encode(method.response, message),
      responseDeserialize: (bytes) => etcdMessages.decode(method.response, bytes),
    };
    const unary = facade.unary[name];
    const stream = facade.streams[name];
    if (stream !== undefined) {
      implementation[method.name] = (call: Grpc.ServerDuplexStream<Record<string, unknown>, object>) =>
        serveStream(grpc, call, stream);
    } else if (unary !== undefined) {
      implementation[method.name] = (
        call: Grpc.ServerUnaryCall<Record<string, unknown>, object>,
        reply: Grpc.sendUnaryData<object>,
      ) => {
        void (async () => unary(call.request))().then(
          (response) => reply(null, response),
          (error) => reply(failure(grpc, error), null),
        );
      };
    } else if (method.responseStream) {
      implementation[method.name] = (call: Grpc.ServerWritableStream<object, object>) =>
        call.destroy(failure(grpc, missing(name)) as unknown as Error);
    } else {
      implementation[method.name] = (_call: unknown, reply: Grpc.sendUnaryData<object>) =>
        reply(failure(grpc, missing(name)), null);
    }
  }
  server.addService(definition, implementation);
}

function serveStream(
  grpc: typeof Grpc,
  call: Grpc.ServerDuplexStream<Record<string, unknown>, object>,
  open: (stream: { send(response: object): boolean; fail(error: unknown): void }) => FacadeStreamHandler,
): void {
  const handler = open({
    send: (response) => call.write(response),
    fail: (error) => call.destroy(failure(grpc, error) as unknown as Error),
  });
  call.on("data", (request: Record<string, unknown>) => handler.message(request));
  call.on("drain", () => handler.drained());
  call.on("end", () => {
    handler.end();
    call.end();
  });
  for (const event of ["cancelled", "error", "close"]) call.on(event, () => handler.end());
}

function failure(grpc: typeof Grpc, error: unknown): Partial<Grpc.StatusObject> {
  const { status, message } = statusFor(error);
  return { code: grpc.status[status as keyof typeof grpc.status] ?? grpc.status.UNKNOWN, details: message };
}
