// One HTTP request and its answer, whatever the protocol version: what the handler needs of a listener.

interface ClientCertificate {
  readonly commonName: string;
  readonly organizations: readonly string[];
  readonly der: Buffer;
}

/** A body that is sent piece by piece. */
export interface BodyStream {
  /** False: the client reads slower than we write; wait for `drained`. */
  write(chunk: Buffer): boolean;
  drained(): Promise<void>;
  end(): void;
}

export interface Exchange {
  readonly method: string;
  /** Path and query as they came. */
  readonly url: string;
  header(name: string): string | undefined;
  /** All of them, by lower-case name. */
  readonly allHeaders: Readonly<Record<string, string | readonly string[]>>;
  /** Names and values of all headers that begin with `prefix` (lower case). */
  headers(prefix: string): readonly (readonly [name: string, values: readonly string[]])[];
  readonly remoteAddress: string;
  /** "verified", with the certificate; "refused" when one was shown that the client CA has not signed. */
  readonly certificate:
    | { readonly state: "none" | "refused" }
    | { readonly state: "verified"; readonly certificate: ClientCertificate };
  /** Aborted when the client goes away or the answer is sent. */
  readonly signal: AbortSignal;
  /** The whole body; undefined when it is longer than `limit`. */
  readBody(limit: number): Promise<Buffer | undefined>;
  /** Sends everything. */
  respond(code: number, headers: Readonly<Record<string, string | readonly string[]>>, body: readonly Buffer[]): void;
  /** Sends the head and lets the body follow. */
  stream(code: number, headers: Readonly<Record<string, string | readonly string[]>>): BodyStream;
  /** Asks the client to open a new connection for its next request. */
  closeConnection(): void;
}

/** Why `signal` is aborted. One for all: an abort without a reason makes an exception, with its stack, for every request. */
export const clientGone = new Error("the client has gone");

/** Why a body cannot be read. */
export const lostRequest = (): Error => new Error("the client closed the connection before its request was complete");
