// The network border: one TLS port for HTTP/2 (stream API) and HTTP/1.1, client certificates asked for but not required.

import type { IncomingMessage, ServerResponse } from "node:http";
import {
  constants,
  createSecureServer,
  type Http2SecureServer,
  type Http2Session,
  type IncomingHttpHeaders,
  type ServerHttp2Stream,
} from "node:http2";
import type { Duplex } from "node:stream";
import type { TLSSocket } from "node:tls";
import { cannotListen } from "#base";
import type { BodyStream, Exchange } from "./exchange.ts";

interface ListenerOptions {
  readonly address: string;
  /** 0: any free port. */
  readonly port: number;
  readonly portFlag?: string;
  /** PEM. */
  readonly cert: string;
  readonly key: string;
  /** PEM; absent: no client certificate is believed. */
  readonly clientCa?: string;
  readonly handle: (exchange: Exchange) => void;
  /** A request to change protocols (exec, port-forward). The callee owns the socket. */
  readonly upgrade: (request: IncomingMessage, socket: Duplex, head: Buffer, certificate: Exchange["certificate"]) => void;
}

export interface Listener {
  readonly port: number;
  /** Asks clients to go elsewhere, waits for requests in flight, then closes what is left. */
  close(graceMs: number): Promise<void>;
}

/** Node's default of 10 MB is shared by all streams of a session; clients put hundreds of watches on one connection. */
const sessionMemoryMegabytes = 1_000;

/** As upstream (net/http's IdleTimeout); with Node's 5 s a client that pauses finds its connection gone just when it writes. */
const idleMs = 90_000;

/** Throws a sentence that says why the port cannot be had. */
export async function listen(options: ListenerOptions): Promise<Listener> {
  const server = createSecureServer({
    cert: options.cert,
    key: options.key,
    allowHTTP1: true,
    http1Options: { keepAliveTimeout: idleMs },
    requestCert: options.clientCa !== undefined,
    rejectUnauthorized: false,
    minVersion: "TLSv1.2",
    ...(options.clientCa === undefined ? {} : { ca: options.clientCa }),
    maxSessionMemory: sessionMemoryMegabytes,
    settings: { maxConcurrentStreams: 1_000, initialWindowSize: 1 << 20 },
  });
  const sessions = new Set<Http2Session>();
  const sockets = new Set<TLSSocket>();
  server.on("request", (request, response) =>
    options.handle(new Http1Exchange(request as unknown as IncomingMessage, response as unknown as ServerResponse)),
  );
  // Adding a "request" listener also hangs the slow compatibility layer into "stream": take it out again, our streams are handled natively.
  server.removeAllListeners("stream");
  server.on("stream", (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) =>
    options.handle(new Http2Exchange(stream, headers)),
  );
  server.on("upgrade", (request: IncomingMessage, socket: Duplex, head: Buffer) =>
    options.upgrade(request, socket, head, certificateOf(socket as TLSSocket)),
  );
  server.on("session", (session) => {
    sessions.add(session);
    session.on("close", () => sessions.delete(session));
    session.on("error", () => {});
  });
  server.on("secureConnection", (socket) => {
    socket.setNoDelay(true);
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
    socket.on("error", () => {});
  });
  server.on("tlsClientError", () => {});
  server.on("sessionError", () => {});
  await new Promise<void>((resolve, reject) => {
    const failed = (error: Error): void => reject(cannotListen(options, error));
    server.once("error", failed);
    server.listen(options.port, options.address, () => {
      server.removeListener("error", failed);
      resolve();
    });
  });
  const address = server.address();
  return {
    port: typeof address === "object" && address !== null ? address.port : options.port,
    close: (graceMs) => closeServer(server, sessions, sockets, graceMs),
  };
}

async function closeServer(
  server: Http2SecureServer,
  sessions: ReadonlySet<Http2Session>,
  sockets: ReadonlySet<TLSSocket>,
  graceMs: number,
): Promise<void> {
  await new Promise<void>((resolve) => {
    server.close(() => resolve());
    for (const session of sessions) session.close();
    const timer = setTimeout(() => {
      for (const session of sessions) session.destroy();
      for (const socket of sockets) socket.destroy();
    }, graceMs);
    server.once("close", () => clearTimeout(timer));
  });
}

const certificates = new WeakMap<TLSSocket, Exchange["certificate"]>();

/** Looked at once per connection. */
function certificateOf(socket: TLSSocket): Exchange["certificate"] {
  const known = certificates.get(socket);
  if (known !== undefined) return known;
  const peer = socket.getPeerCertificate?.();
  let found: Exchange["certificate"] = { state: "none" };
  if (peer !== undefined && peer !== null && peer.raw !== undefined) {
    if (socket.authorized) {
      const { CN, O } = peer.subject as { CN?: string | string[]; O?: string | string[] };
      const organizations = O === undefined ? [] : Array.isArray(O) ? O : [O];
      found = {
        state: "verified",
        certificate: { commonName: Array.isArray(CN) ? (CN.at(-1) ?? "") : (CN ?? ""), organizations, der: peer.raw },
      };
    } else found = { state: "refused" };
  }
  certificates.set(socket, found);
  return found;
}

function collect(source: NodeJS.ReadableStream, limit: number): Promise<Buffer | undefined> {
  return new Promise((resolve, reject) => {
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
    source.once("close", () => reject(new Error("the client closed the connection before its request was complete")));
  });
}

const listOf = (value: string | readonly string[] | undefined): readonly string[] =>
  value === undefined ? [] : typeof value === "string" ? [value] : value;

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

/** One for all: an abort without a reason makes an exception, with its stack, for every request. */
const clientGone = new Error("the client has gone");

const ignored = (): void => {};
const oneWrite = 64 * 1024;

/** A small body goes out in one piece: every write of a stream costs more than copying a few kilobytes. */
function joined(body: readonly Buffer[]): readonly Buffer[] {
  if (body.length === 1) return body;
  let size = 0;
  for (const chunk of body) size += chunk.length;
  return size <= oneWrite ? [Buffer.concat(body, size)] : body;
}

class Http2Exchange implements Exchange {
  readonly method: string;
  readonly url: string;
  readonly #stream: ServerHttp2Stream;
  readonly #headers: IncomingHttpHeaders;
  #abort: AbortController | undefined;

  constructor(stream: ServerHttp2Stream, headers: IncomingHttpHeaders) {
    this.#stream = stream;
    this.#headers = headers;
    this.method = String(headers[":method"]);
    this.url = String(headers[":path"]);
    stream.on("error", ignored);
  }

  header(name: string): string | undefined {
    const value = this.#headers[name];
    return value === undefined ? undefined : typeof value === "string" ? value : value.join(", ");
  }

  headers(prefix: string): [string, readonly string[]][] {
    const found: [string, readonly string[]][] = [];
    for (const name in this.#headers) if (name.startsWith(prefix)) found.push([name, listOf(this.#headers[name])]);
    return found.length === 0 ? [] : found.map(([name, values]) => [name, values.flatMap((value) => value.split(", "))]);
  }

  get allHeaders(): Readonly<Record<string, string | readonly string[]>> {
    return this.#headers as Record<string, string | readonly string[]>;
  }

  get remoteAddress(): string {
    return this.#socket?.remoteAddress ?? "";
  }

  get certificate(): Exchange["certificate"] {
    return this.#socket === undefined ? { state: "none" } : certificateOf(this.#socket);
  }

  get signal(): AbortSignal {
    if (this.#abort === undefined) {
      const abort = new AbortController();
      this.#abort = abort;
      this.#stream.on("close", () => abort.abort(clientGone));
      if (this.#stream.closed || this.#stream.destroyed) this.#abort.abort(clientGone);
    }
    return this.#abort.signal;
  }

  readBody(limit: number): Promise<Buffer | undefined> {
    if (this.#stream.endAfterHeaders) return Promise.resolve(Buffer.alloc(0));
    return collect(this.#stream, limit);
  }

  respond(code: number, headers: Readonly<Record<string, string | readonly string[]>>, body: readonly Buffer[]): void {
    const stream = this.#stream;
    if (stream.closed || stream.destroyed) return;
    stream.respond({ ...headers, [constants.HTTP2_HEADER_STATUS]: code } as never, { endStream: body.length === 0 });
    if (body.length === 0) return;
    const chunks = joined(body);
    for (let i = 0; i < chunks.length - 1; i++) stream.write(chunks[i]);
    stream.end(chunks.at(-1));
  }

  stream(code: number, headers: Readonly<Record<string, string | readonly string[]>>): BodyStream {
    const stream = this.#stream;
    if (!stream.closed && !stream.destroyed) stream.respond({ ...headers, [constants.HTTP2_HEADER_STATUS]: code } as never);
    return bodyStream(stream);
  }

  closeConnection(): void {
    this.#stream.once("close", () => this.#stream.session?.close());
  }

  get #socket(): TLSSocket | undefined {
    // The session's proxy hides the certificate methods' results from nobody; it is the TLS socket underneath.
    const socket = this.#stream.session?.socket as TLSSocket | undefined;
    return socket;
  }
}

function bodyStream(stream: NodeJS.WritableStream & { destroyed?: boolean }): BodyStream {
  return {
    write: (chunk) => (stream.destroyed === true ? true : stream.write(chunk)),
    drained: () =>
      new Promise<void>((resolve) => {
        if (stream.destroyed === true) return resolve();
        const done = (): void => {
          stream.removeListener("drain", done);
          stream.removeListener("close", done);
          resolve();
        };
        stream.once("drain", done);
        stream.once("close", done);
      }),
    end: () => void (stream.destroyed === true || stream.end()),
  };
}

class Http1Exchange implements Exchange {
  readonly method: string;
  readonly url: string;
  readonly #request: IncomingMessage;
  readonly #response: ServerResponse;
  #abort: AbortController | undefined;

  constructor(request: IncomingMessage, response: ServerResponse) {
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

  get certificate(): Exchange["certificate"] {
    return certificateOf(this.#request.socket as TLSSocket);
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
    const chunks = joined(body);
    for (let i = 0; i < chunks.length - 1; i++) this.#response.write(chunks[i]);
    this.#response.end(chunks.at(-1));
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
