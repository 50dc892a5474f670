// etcd's API at its barest: a message in, a message or a gRPC status out. Programs compare what is on the wire, so nothing stands in between.
import { type ClientHttp2Session, type ClientHttp2Stream, connect } from "node:http2";
import { etcdMessages } from "../../../../src/store/etcd/wire.ts";

export type Message = Readonly<Record<string, unknown>>;

export type Outcome = { readonly response: Message } | { readonly status: number; readonly message: string };

export interface WireStream {
  write(request: Message): void;
  close(): void;
}

export class WireClient {
  readonly #session: ClientHttp2Session;

  constructor(url: string) {
    this.#session = connect(url);
    this.#session.on("error", () => {}); // each call fails by itself
  }

  /** `method`: "KV.Range". */
  unary(method: string, request: Message): Promise<Outcome> {
    const { path, input, output } = rpc(method);
    const stream = this.#open(path);
    return new Promise((resolve, reject) => {
      const chunks: Buffer[] = [];
      let outcome: Outcome | undefined;
      const status = (headers: Record<string, unknown>): void => {
        if (headers["grpc-status"] === undefined) return;
        const code = Number(headers["grpc-status"]);
        const message = decodeURIComponent(String(headers["grpc-message"] ?? ""));
        if (code !== 0) outcome = { status: code, message };
      };
      stream.on("response", status);
      stream.on("trailers", status);
      stream.on("data", (chunk: Buffer) => chunks.push(chunk));
      stream.on("error", reject);
      stream.on("end", () => {
        const bytes = chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks);
        resolve(outcome ?? { response: etcdMessages.decode(output, bytes.subarray(5)) as Message });
      });
      stream.end(frame(input, request));
    });
  }

  stream(method: string, take: (response: Message) => void): WireStream {
    const { path, input, output } = rpc(method);
    const stream = this.#open(path);
    let waiting: Buffer = Buffer.alloc(0);
    stream.on("data", (chunk: Buffer) => {
      waiting = waiting.length === 0 ? chunk : Buffer.concat([waiting, chunk]);
      for (;;) {
        const end = waiting.length < 5 ? Number.POSITIVE_INFINITY : 5 + waiting.readUInt32BE(1);
        if (waiting.length < end) return;
        const message = etcdMessages.decode(output, waiting.subarray(5, end)) as Message;
        waiting = waiting.subarray(end);
        take(message);
      }
    });
    stream.on("error", () => {});
    return { write: (request) => void stream.write(frame(input, request)), close: () => stream.close() };
  }

  close(): void {
    this.#session.destroy();
  }

  #open(path: string): ClientHttp2Stream {
    return this.#session.request({ ":method": "POST", ":path": path, "content-type": "application/grpc", te: "trailers" });
  }
}

function frame(type: string, message: Message): Buffer {
  const body = etcdMessages.encode(type, message);
  const bytes = Buffer.allocUnsafe(5 + body.length);
  bytes[0] = 0;
  bytes.writeUInt32BE(body.length, 1);
  bytes.set(body, 5);
  return bytes;
}

function rpc(method: string): { readonly path: string; readonly input: string; readonly output: string } {
  const [service = "", name = ""] = method.split(".");
  const stem = method === "KV.Compact" ? "Compaction" : name;
  return {
    path: `/etcdserverpb.${service}/${name}`,
    input: `etcdserverpb.${stem}Request`,
    output: `etcdserverpb.${stem}Response`,
  };
}
