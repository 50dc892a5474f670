// The members of an etcd cluster as one: the one that answered last is asked first, the others when it does not.
import { type GrpcCall, type GrpcChannel, type GrpcDuplex, GrpcError, openGrpcChannel } from "#base";
import { StoreError, type StoreErrorCode } from "../store.ts";
import { etcdMessages } from "./wire.ts";

export interface EtcdTls {
  /** PEM. */
  readonly ca: string;
  readonly certificate?: string;
  readonly key?: string;
}

/** Whether asking again can do harm. */
export type Kind = "read" | "write";

export class Endpoints {
  readonly #channels: readonly GrpcChannel[];
  readonly #timeoutMs: number;
  /** Index of the member to ask first. */
  #current = 0;

  private constructor(channels: readonly GrpcChannel[], timeoutMs: number) {
    this.#channels = channels;
    this.#timeoutMs = timeoutMs;
  }

  /** `urls`: "https://10.0.0.1:2379" or "http://127.0.0.1:2379" (no TLS). */
  static async open(urls: readonly string[], tls: EtcdTls | undefined, timeoutMs: number): Promise<Endpoints> {
    if (urls.length === 0) throw new StoreError("unavailable", "Cannot open an etcd store: no server is named");
    const channels = await Promise.all(
      urls.map((url) => {
        const address = url.replace(/^https?:\/\//, "");
        if (!url.startsWith("https://")) return openGrpcChannel({ address, messages: etcdMessages });
        if (tls === undefined)
          throw new StoreError("unavailable", `Cannot open etcd "${url}": https needs a certificate authority`);
        return openGrpcChannel({ address, messages: etcdMessages, tls });
      }),
    );
    return new Endpoints(channels, timeoutMs);
  }

  /** Throws StoreError. A write is asked again only if it surely never left this process. */
  async call(method: string, request: object, kind: Kind): Promise<Record<string, unknown>> {
    for (let attempt = 1; ; attempt++) {
      const index = this.#current;
      try {
        return await this.#channel(index).unary(rpc(method), request, { timeoutMs: this.#timeoutMs });
      } catch (error) {
        const again = error instanceof GrpcError && error.code === "UNAVAILABLE" && (kind === "read" || neverSent(error));
        if (!again || attempt >= this.#channels.length) throw storeError(error, kind);
        this.#next(index);
      }
    }
  }

  stream(method: string, call?: GrpcCall): GrpcDuplex {
    return this.#channel(this.#current).duplex(rpc(method), call);
  }

  /** The member that a stream broke on is not the first choice for the next. */
  streamFailed(): void {
    this.#next(this.#current);
  }

  close(): void {
    for (const channel of this.#channels) channel.close();
  }

  #channel(index: number): GrpcChannel {
    return this.#channels[index] as GrpcChannel; // there is at least one, and indexes stay below their number
  }

  #next(failed: number): void {
    if (this.#current === failed) this.#current = (failed + 1) % this.#channels.length;
  }
}

function rpc(method: string) {
  const [service = "", name = ""] = method.split(".");
  const [request, response] = irregular[method] ?? [`${name}Request`, `${name}Response`];
  return { path: `/etcdserverpb.${service}/${name}`, request: `etcdserverpb.${request}`, response: `etcdserverpb.${response}` };
}

const irregular: Readonly<Record<string, readonly [string, string]>> = {
  "KV.Compact": ["CompactionRequest", "CompactionResponse"],
};

const neverSent = (error: GrpcError): boolean =>
  /ECONNREFUSED|No connection established|Name resolution failed/.test(error.message);

const codes: readonly (readonly [string, StoreErrorCode])[] = [
  ["required revision has been compacted", "compacted"],
  ["required revision is a future revision", "futureRevision"],
  ["database space exceeded", "noSpace"],
  ["requested lease not found", "leaseNotFound"],
  ["lease already exists", "leaseExists"],
  ["duplicate key given", "duplicateKey"],
  ["etcdserver: key not found", "keyNotFound"],
  ["key is not provided", "emptyKey"],
  ["request is too large", "tooLarge"],
  ["too large lease TTL", "tooLarge"],
];

export function storeError(error: unknown, kind: Kind): StoreError {
  if (error instanceof StoreError) return error;
  const message = error instanceof Error ? error.message : String(error);
  const known = codes.find(([text]) => message.includes(text));
  if (known !== undefined) return new StoreError(known[1], message, { cause: error });
  const unsure = kind === "write" && !(error instanceof GrpcError && neverSent(error));
  return new StoreError(
    unsure ? "unknownOutcome" : "unavailable",
    `Cannot ${kind === "write" ? "write to" : "read from"} etcd: ${message}`,
    { cause: error },
  );
}
