// The generator of bench/store.ts: a closed loop of clients on one or more HTTP/2 connections that speak etcd's gRPC, in a process of its own.
// Bare node:http2, so that it is the server that is measured; the same program for Debian's etcd and for ours. Prints one JSON object.
import { type ClientHttp2Session, connect } from "node:http2";
import { keyOf, percentile, round } from "./support.ts";

export interface LoadRequest {
  readonly url: string;
  readonly kind: "put" | "range";
  readonly clients: number;
  readonly connections: number;
  readonly seconds: number;
  /** Written and read in turn. */
  readonly keys: number;
  readonly valueBytes: number;
  /** Ends after so many, whatever the time. */
  readonly operations?: number;
}

export interface LoadResult {
  readonly perSecond: number;
  /** The warm-up included. */
  readonly totalOperations: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly bytes: number;
  /** Of one core that this generator used: near 1 it is what bounds the figure. */
  readonly generatorCpu: number;
}

const lengthDelimited = (field: number, bytes: Buffer): Buffer => {
  const length: number[] = [];
  let rest = bytes.length;
  for (; rest > 127; rest >>>= 7) length.push((rest & 127) | 128);
  return Buffer.concat([Buffer.from([(field << 3) | 2, ...length, rest]), bytes]);
};

function framed(message: Buffer): Buffer {
  const header = Buffer.alloc(5);
  header.writeUInt32BE(message.length, 1);
  return Buffer.concat([header, message]);
}

const bodies = {
  put: ({ valueBytes }: LoadRequest) => {
    const value = lengthDelimited(2, Buffer.alloc(valueBytes, "x"));
    return (index: number): Buffer => framed(Buffer.concat([lengthDelimited(1, Buffer.from(keyOf(index))), value]));
  },
  range: () => {
    const all = framed(
      Buffer.concat([lengthDelimited(1, Buffer.from("/registry/pods/")), lengthDelimited(2, Buffer.from("/registry/pods0"))]),
    );
    return (): Buffer => all;
  },
};

function call(session: ClientHttp2Session, path: string, body: Buffer): Promise<number> {
  return new Promise((resolve, reject) => {
    const stream = session.request({ ":method": "POST", ":path": path, "content-type": "application/grpc", te: "trailers" });
    let bytes = 0;
    let status: unknown;
    stream.on("response", (headers) => (status = headers["grpc-status"])); // without a body there are no trailers
    stream.on("trailers", (headers) => (status = headers["grpc-status"]));
    stream.on("data", (chunk: Buffer) => (bytes += chunk.length));
    stream.on("error", reject);
    stream.on("close", () => (status === "0" ? resolve(bytes) : reject(new Error(`${path} answered status ${String(status)}`))));
    stream.end(body);
  });
}

async function run(request: LoadRequest): Promise<LoadResult> {
  const sessions = Array.from({ length: request.connections }, () =>
    connect(request.url, { settings: { initialWindowSize: 16 * 2 ** 20, maxFrameSize: 2 ** 20 } }),
  );
  for (const session of sessions) {
    session.setMaxListeners(0);
    await new Promise((resolve, reject) => session.once("remoteSettings", resolve).once("error", reject));
    session.setLocalWindowSize(64 * 2 ** 20);
  }
  const path = request.kind === "put" ? "/etcdserverpb.KV/Put" : "/etcdserverpb.KV/Range";
  const body = bodies[request.kind](request);
  const limit = request.operations ?? Number.POSITIVE_INFINITY;
  let next = 0;
  const loop = async (until: number, latencies: number[]): Promise<number> => {
    let bytes = 0;
    const clients = Array.from({ length: request.clients }, async (_, client) => {
      const session = sessions[client % sessions.length] as ClientHttp2Session; // one at least
      while (performance.now() < until && next < limit) {
        const began = performance.now();
        const received = await call(session, path, body(next++ % request.keys));
        bytes += received;
        latencies.push(performance.now() - began);
      }
    });
    await Promise.all(clients);
    return bytes;
  };
  if (request.operations === undefined) await loop(performance.now() + 500, []); // connections and this program itself
  const latencies: number[] = [];
  const cpu = process.cpuUsage();
  const began = performance.now();
  const bytes = await loop(began + request.seconds * 1000, latencies);
  const seconds = (performance.now() - began) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  for (const session of sessions) session.close();
  return {
    perSecond: Math.round(latencies.length / seconds),
    totalOperations: next,
    p50Ms: round(percentile(latencies, 0.5), 3),
    p99Ms: round(percentile(latencies, 0.99), 3),
    bytes: Math.round(bytes / Math.max(1, latencies.length)),
    generatorCpu: round((user + system) / 1e6 / seconds, 2),
  };
}

console.log(JSON.stringify(await run(JSON.parse(process.argv[2] ?? "{}") as LoadRequest)));
