// The client's side of a SPDY/3.1 connection that has been upgraded: opens streams, carries their bytes both ways.
import type { Duplex } from "node:stream";
import {
  dataFrame,
  FrameReader,
  goAwayFrame,
  HeaderCodec,
  type Headers,
  pingFrame,
  rstStreamFrame,
  synStreamFrame,
  windowUpdateFrame,
} from "./frames.ts";

export interface SpdyStream {
  write(data: Uint8Array): void;
  /** Half-closes: nothing more will be written. */
  end(): void;
  /** One listener; it gets what came before it too. */
  onData(listener: (data: Buffer) => void): void;
  /** The other side will write nothing more, or the connection is gone. */
  readonly ended: Promise<void>;
}

interface Open {
  /** Before anyone listens, data waits here: it may come in one piece with the stream's acceptance. */
  readonly early: Buffer[];
  listener: ((data: Buffer) => void) | undefined;
  readonly end: () => void;
  readonly replied: () => void;
  readonly refused: (error: Error) => void;
}

export class SpdyClient {
  readonly #socket: Duplex;
  readonly #codec = new HeaderCodec();
  readonly #streams = new Map<number, Open>();
  #nextStream = 1;
  /** Header blocks must leave in the order in which they were compressed. */
  #sending: Promise<void> = Promise.resolve();
  readonly closed: Promise<void>;

  constructor(socket: Duplex, head: Buffer) {
    this.#socket = socket;
    const reader = new FrameReader(this.#codec);
    this.closed = this.#read(reader, head);
  }

  /** Resolves when the server has accepted the stream. */
  open(headers: Headers): Promise<SpdyStream> {
    const id = this.#nextStream;
    this.#nextStream += 2;
    return new Promise<SpdyStream>((resolve, reject) => {
      const open: Open = {
        early: [],
        listener: undefined,
        end: () => ended.resolve(),
        replied: () => resolve(stream),
        refused: reject,
      };
      const ended = Promise.withResolvers<void>();
      const stream: SpdyStream = {
        write: (data) => this.#send(dataFrame(id, data, false)),
        end: () => this.#send(dataFrame(id, Buffer.alloc(0), true)),
        onData: (listener) => {
          open.listener = listener;
          for (const data of open.early.splice(0)) listener(data);
        },
        ended: ended.promise,
      };
      this.#streams.set(id, open);
      this.#sending = this.#sending.then(async () => {
        this.#socket.write(synStreamFrame(id, await this.#codec.compress(headers)));
      });
    });
  }

  get bufferedBytes(): number {
    return this.#socket.writableLength;
  }

  close(): void {
    if (!this.#socket.destroyed) this.#socket.end(goAwayFrame(0));
  }

  #send(frame: Buffer): void {
    this.#sending = this.#sending.then(() => void (this.#socket.writable && this.#socket.write(frame)));
  }

  async #read(reader: FrameReader, head: Buffer): Promise<void> {
    try {
      if (head.length > 0) await this.#take(reader, head);
      for await (const chunk of this.#socket) await this.#take(reader, chunk as Buffer);
    } catch {
      // a connection that breaks ends its streams, which is all that their users can know
    } finally {
      for (const stream of this.#streams.values()) {
        stream.refused(new Error("the connection was closed"));
        stream.end();
      }
      this.#streams.clear();
      this.#codec.close();
      this.#socket.destroy();
    }
  }

  async #take(reader: FrameReader, chunk: Buffer): Promise<void> {
    for await (const frame of reader.push(chunk)) {
      if (frame.type === "ping") {
        this.#send(pingFrame(frame.id));
      } else if (frame.type === "data") {
        const stream = this.#streams.get(frame.stream);
        if (stream === undefined) {
          this.#send(rstStreamFrame(frame.stream, 2));
          continue;
        }
        if (frame.data.length > 0) {
          if (stream.listener === undefined) stream.early.push(frame.data);
          else stream.listener(frame.data);
          this.#send(windowUpdateFrame(frame.stream, frame.data.length));
          this.#send(windowUpdateFrame(0, frame.data.length));
        }
        if (frame.fin) stream.end();
      } else if (frame.type === "synReply") {
        const stream = this.#streams.get(frame.stream);
        stream?.replied();
        if (frame.fin) stream?.end();
      } else if (frame.type === "rstStream") {
        const stream = this.#streams.get(frame.stream);
        stream?.refused(new Error(`the stream was refused (status ${frame.status})`));
        stream?.end();
      }
    }
  }
}
