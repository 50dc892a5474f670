// One request over HTTP/2: a stream of our own server side, read and answered without any of Node's streams.
import type { HeaderFields, RequestHandler, RequestHead, ResponseStream } from "#base";
import { type BodyStream, clientGone, type Exchange, lostRequest } from "./exchange.ts";
import { responseFields } from "./response-fields.ts";

/** What all requests of a connection share. */
interface Connection {
  readonly remoteAddress: string;
  readonly certificate: Exchange["certificate"];
  readonly date: () => HeaderFields[number];
  closeConnection(): void;
}

/** Of these only the first counts, as upstream; others are joined. */
const single: ReadonlySet<string> = new Set(["authorization", "content-type", "user-agent"]);

/** While so much of a streamed answer waits for its client no more of it is made. */
const unreadBytes = 64 * 1024;

export class Http2Exchange implements Exchange, RequestHandler {
  readonly method: string;
  readonly url: string;
  readonly #head: RequestHead;
  readonly #stream: ResponseStream;
  readonly #connection: Connection;
  #chunks: Buffer[] = [];
  #bytes = 0;
  #ended = false;
  #closed = false;
  #reading: { readonly limit: number; resolve(body: Buffer | undefined): void; reject(error: Error): void } | undefined;
  #abort: AbortController | undefined;
  #drained: (() => void) | undefined;
  #closesConnection = false;

  constructor(head: RequestHead, stream: ResponseStream, connection: Connection) {
    this.method = head.method;
    this.url = head.path;
    this.#head = head;
    this.#stream = stream;
    this.#connection = connection;
  }

  header(name: string): string | undefined {
    let found: string | undefined;
    for (const field of this.#head.fields) {
      if (field.name !== name) continue;
      if (found === undefined) found = field.value;
      else if (!single.has(name)) found += `${name === "cookie" ? "; " : ", "}${field.value}`;
    }
    return found;
  }

  headers(prefix: string): [string, readonly string[]][] {
    let found: Map<string, string[]> | undefined;
    for (const { name, value } of this.#head.fields) {
      if (!name.startsWith(prefix)) continue;
      found ??= new Map();
      const values = found.get(name);
      if (values === undefined) found.set(name, [value]);
      else values.push(value);
    }
    return found === undefined ? [] : [...found];
  }

  get allHeaders(): Readonly<Record<string, string>> {
    const all: Record<string, string> = {};
    for (const { name } of this.#head.fields) all[name] ??= this.header(name) ?? "";
    return all;
  }

  get remoteAddress(): string {
    return this.#connection.remoteAddress;
  }

  get certificate(): Exchange["certificate"] {
    return this.#connection.certificate;
  }

  get signal(): AbortSignal {
    if (this.#abort === undefined) {
      this.#abort = new AbortController();
      if (this.#closed) this.#abort.abort(clientGone);
    }
    return this.#abort.signal;
  }

  readBody(limit: number): Promise<Buffer | undefined> {
    return new Promise((resolve, reject) => {
      this.#reading = { limit, resolve, reject };
      this.#stream.consumed(this.#bytes);
      this.#read();
    });
  }

  #read(): void {
    const reading = this.#reading;
    if (reading === undefined) return;
    const [first = Buffer.alloc(0)] = this.#chunks;
    if (this.#bytes > reading.limit) reading.resolve(undefined);
    else if (this.#ended) reading.resolve(this.#chunks.length <= 1 ? first : Buffer.concat(this.#chunks, this.#bytes));
    else if (this.#closed) reading.reject(lostRequest());
    else return;
    this.#reading = undefined;
    this.#chunks = [];
  }

  data(bytes: Buffer): void {
    this.#chunks.push(Buffer.from(bytes));
    this.#bytes += bytes.length;
    if (this.#reading === undefined) return; // not asked for, or too much: the client is told to wait
    this.#stream.consumed(bytes.length);
    this.#read();
  }

  end(): void {
    this.#ended = true;
    this.#read();
  }

  drained(): void {
    this.#drained?.();
    this.#drained = undefined;
  }

  closed(): void {
    this.#closed = true;
    this.#read();
    this.drained();
    this.#abort?.abort(clientGone);
    if (this.#closesConnection) this.#connection.closeConnection();
  }

  respond(code: number, headers: Readonly<Record<string, string | readonly string[]>>, body: readonly Buffer[]): void {
    const stream = this.#stream;
    stream.respond(responseFields(code, headers, this.#connection.date()), body.length === 0);
    if (body.length > 0) stream.writeLast(body);
    stream.stopRequest();
  }

  stream(code: number, headers: Readonly<Record<string, string | readonly string[]>>): BodyStream {
    const stream = this.#stream;
    stream.respond(responseFields(code, headers, this.#connection.date()), false);
    return {
      write: (chunk) => {
        stream.write(chunk);
        return stream.unreadBytes <= unreadBytes;
      },
      drained: () =>
        new Promise((resolve) => {
          if (this.#closed || stream.unreadBytes === 0) resolve();
          else this.#drained = resolve;
        }),
      end: () => {
        stream.end([]);
        stream.stopRequest();
      },
    };
  }

  closeConnection(): void {
    this.#closesConnection = true;
    if (this.#closed) this.#connection.closeConnection();
  }
}
