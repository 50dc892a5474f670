// One request over HTTP/1.1, as node:http gives it.
import type { IncomingMessage, ServerResponse } from "node:http";
import { drained } from "#base";
import { type BodyStream, clientGone, type Exchange, lostRequest } from "./exchange.ts";

function collect(source: IncomingMessage, limit: number): Promise<Buffer | undefined> {
  return new Promise((resolve, reject) => {
    if (source.destroyed) return reject(lostRequest()); // it says nothing any more
    const chunks: Buffer[] = [];
    let size = 0;
    source.on("data", (chunk: Buffer) => {
      size += chunk.length;
      if (size > limit) {
        source.pause();
        resolve(undefined);
      } else chunks.push(chunk);
    });
    source.once("end", () => resolve(chunks.length === 1 ? chunks[0] : Buffer.concat(chunks)));
    source.once("error", reject);
    source.once("close", () => reject(lostRequest()));
  });
}

/** Node joins repeated headers with ", "; the raw list keeps them apart. */
function rawHeaders(raw: readonly string[], prefix: string): [string, string[]][] {
  const found = new Map<string, string[]>();
  for (let i = 0; i + 1 < raw.length; i += 2) {
    const name = (raw[i] as string).toLowerCase(); // i + 1 < length
    if (!name.startsWith(prefix)) continue;
    const values = found.get(name) ?? [];
    values.push(raw[i + 1] as string);
    found.set(name, values);
  }
  return [...found];
}

const oneWrite = 64 * 1024;

/** Every write of a stream costs more than copying a few kilobytes. */
function* joined(body: readonly Buffer[]): Iterable<Buffer> {
  let from = 0;
  let size = 0;
  for (const [index, piece] of body.entries()) {
    size += piece.length;
    if (size < oneWrite) continue;
    yield index === from ? piece : Buffer.concat(body.slice(from, index + 1), size);
    from = index + 1;
    size = 0;
  }
  if (size > 0) yield Buffer.concat(body.slice(from), size);
}

function bodyStream(stream: ServerResponse): BodyStream {
  return {
    write: (chunk) => (stream.destroyed ? true : stream.write(chunk)),
    drained: () => drained(stream),
    end: () => void (stream.destroyed || stream.end()),
  };
}

export class Http1Exchange implements Exchange {
  readonly method: string;
  readonly url: string;
  readonly #request: IncomingMessage;
  readonly #response: ServerResponse;
  #abort: AbortController | undefined;

  readonly certificate: Exchange["certificate"];

  constructor(request: IncomingMessage, response: ServerResponse, certificate: Exchange["certificate"]) {
    this.certificate = certificate;
    this.#request = request;
    this.#response = response;
    this.method = request.method ?? "GET";
    this.url = request.url ?? "/";
    response.on("close", () => this.#abort?.abort(clientGone));
    response.on("error", () => {});
  }

  header(name: string): string | undefined {
    const value = this.#request.headers[name];
    return value === undefined ? undefined : typeof value === "string" ? value : value.join(", ");
  }

  headers(prefix: string): [string, readonly string[]][] {
    return rawHeaders(this.#request.rawHeaders, prefix);
  }

  get allHeaders(): Readonly<Record<string, string | readonly string[]>> {
    return this.#request.headers as Record<string, string | readonly string[]>;
  }

  get remoteAddress(): string {
    return this.#request.socket.remoteAddress ?? "";
  }

  get signal(): AbortSignal {
    this.#abort ??= new AbortController();
    return this.#abort.signal;
  }

  readBody(limit: number): Promise<Buffer | undefined> {
    return collect(this.#request, limit);
  }

  respond(code: number, headers: Readonly<Record<string, string | readonly string[]>>, body: readonly Buffer[]): void {
    const length = body.reduce((sum, chunk) => sum + chunk.length, 0);
    this.#response.writeHead(code, { ...headers, "content-length": length } as never);
    for (const chunk of joined(body)) this.#response.write(chunk);
    this.#response.end();
  }

  stream(code: number, headers: Readonly<Record<string, string | readonly string[]>>): BodyStream {
    this.#response.writeHead(code, headers as never);
    this.#response.flushHeaders();
    return bodyStream(this.#response);
  }

  closeConnection(): void {
    if (!this.#response.headersSent) this.#response.setHeader("connection", "close");
  }
}
