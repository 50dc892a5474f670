// Cuts the bytes of a gRPC request into messages, and says what is wrong with them.

export interface GrpcFailure {
  readonly code: number;
  readonly message: string;
}

/** gRPC's numbers of the refusals that are not a method's. */
export const grpcCode = { resourceExhausted: 8, unimplemented: 12, internal: 13 } as const;

/** What the client has done wrong, as opposed to what a method throws. */
export class Refusal extends Error {
  readonly failure: GrpcFailure;
  constructor(code: number, message: string) {
    super(message);
    this.failure = { code, message };
  }
}

/** A byte that says "compressed", four of length. */
export const prefixBytes = 5;

/** What the unfinished messages of one connection take together. */
export class MessageRoom {
  #bytes: number;
  constructor(bytes: number) {
    this.#bytes = bytes;
  }

  /** Negative: gives back. Throws Refusal. */
  take(bytes: number): void {
    if (bytes > this.#bytes)
      throw new Refusal(grpcCode.resourceExhausted, "too many large messages at the same time on this connection");
    this.#bytes -= bytes;
  }
}

interface MessageReaderOptions {
  /** Larger messages are refused. */
  readonly maxBytes: number;
  readonly room: MessageRoom;
  /** The message is valid until it returns. */
  readonly visit: (message: Buffer) => void;
}

export class MessageReader {
  readonly #options: MessageReaderOptions;
  /** What came of a message that is not complete, or that must wait. */
  #kept: Buffer = Buffer.alloc(0);
  #keptBytes = 0;
  #held = false;

  constructor(options: MessageReaderOptions) {
    this.#options = options;
  }

  /** Messages wait for `resume`. */
  get held(): boolean {
    return this.#held;
  }

  hold(): void {
    this.#held = true;
  }

  /** Throws Refusal; then it is of no more use. */
  receive(bytes: Buffer): void {
    if (this.#keptBytes === 0 && !this.#held) {
      const read = this.#read(bytes);
      if (read < bytes.length) this.#keep(bytes.subarray(read));
      return;
    }
    this.#keep(bytes);
    if (!this.#held) this.#readKept();
  }

  /** Throws Refusal. */
  resume(): void {
    this.#held = false;
    this.#readKept();
  }

  /** For good: nothing more is visited, and its room is given back. */
  close(): void {
    this.#held = true;
    this.#drop();
  }

  #drop(): void {
    this.#options.room.take(-this.#kept.length);
    this.#kept = Buffer.alloc(0);
    this.#keptBytes = 0;
  }

  #readKept(): void {
    const read = this.#read(this.#kept.subarray(0, this.#keptBytes));
    if (this.#keptBytes === 0) return; // closed by what was visited
    this.#kept.copyWithin(0, read, this.#keptBytes);
    this.#keptBytes -= read;
    if (this.#keptBytes === 0) this.#drop();
  }

  /** How many bytes were whole messages. */
  #read(bytes: Buffer): number {
    const { maxBytes, visit } = this.#options;
    let at = 0;
    while (bytes.length - at >= prefixBytes && !this.#held) {
      const length = bytes.readUInt32BE(at + 1);
      if (bytes[at] !== 0) throw new Refusal(grpcCode.unimplemented, "compressed messages are not supported");
      if (length > maxBytes)
        throw new Refusal(grpcCode.resourceExhausted, `received message larger than max (${length} vs. ${maxBytes})`);
      const end = at + prefixBytes + length;
      if (end > bytes.length) break;
      visit(bytes.subarray(at + prefixBytes, end));
      at = end;
    }
    return at;
  }

  /** A copy, which grows as much again: pieces may be small, and must not keep large chunks alive. */
  #keep(bytes: Buffer): void {
    const needed = this.#keptBytes + bytes.length;
    if (needed > this.#kept.length) {
      const grown = Math.max(needed, 2 * this.#kept.length);
      this.#options.room.take(grown - this.#kept.length);
      const kept = Buffer.allocUnsafeSlow(grown);
      this.#kept.copy(kept, 0, 0, this.#keptBytes);
      this.#kept = kept;
    }
    this.#kept.set(bytes, this.#keptBytes);
    this.#keptBytes = needed;
  }
}
