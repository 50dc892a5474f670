// The client's side of a SPDY/3.1 connection that has been upgraded: opens streams, carries their bytes both ways.
import type { Duplex } from "node:stream";
import {
  dataFrame,
  type Frame,
  FrameReader,
  goAwayFrame,
  HeaderCompressor,
  type Headers,
  pingFrame,
  rstStreamFrame,
  synStreamFrame,
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
  readonly #headers = new HeaderCompressor();
  readonly #reader = new FrameReader();
  readonly #streams = new Map<number, Open>();
  #nextStream = 1;
  /** Header blocks must leave in the order in which they were compressed. */
  #sending: Promise<void> = Promise.resolve();

  constructor(socket: Duplex, head: Buffer) {
    this.#socket = socket;
    // Every chunk is taken in the turn in which it arrives, and nothing is written that need not be: a server that has said all closes
    // at once, a write that meets the closed connection resets it, and what then still waits to be read is gone, the exit code first.
    // So no window updates: the runtimes' servers (moby/spdystream) have no flow control; a full socket is what slows them down.
    socket.on("data", (chunk: Buffer) => this.#take(chunk));
    // a connection that breaks ends its streams, which is all that their users can know
    socket.on("error", () => socket.destroy());
    socket.on("end", () => socket.destroy());
    socket.on("close", () => this.#end());
    if (head.length > 0) this.#take(head);
  }

  /** Resolves when the server has accepted the stream; rejects where it refuses it or the connection is gone. */
  open(headers: Headers): Promise<SpdyStream> {
    if (this.#socket.destroyed) return Promise.reject(new Error("the connection was closed"));
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
        if (this.#socket.writable) this.#socket.write(synStreamFrame(id, await this.#headers.compress(headers)));
      });
    });
  }

  close(): void {
    if (!this.#socket.destroyed) this.#socket.end(goAwayFrame(0));
  }

  #send(frame: Buffer): void {
    this.#sending = this.#sending.then(() => void (this.#socket.writable && this.#socket.write(frame)));
  }

  #end(): void {
    for (const stream of this.#streams.values()) {
      stream.refused(new Error("the connection was closed"));
      stream.end();
    }
    this.#streams.clear();
    this.#headers.close();
  }

  #take(chunk: Buffer): void {
    try {
      for (const frame of this.#reader.push(chunk)) this.#handle(frame);
    } catch (error) {
      this.#socket.destroy(error as Error);
    }
  }

  #handle(frame: Frame): void {
    if (frame.type === "ping") {
      this.#send(pingFrame(frame.id));
    } else if (frame.type === "data") {
      const stream = this.#streams.get(frame.stream);
      if (stream === undefined) {
        this.#send(rstStreamFrame(frame.stream, 2));
        return;
      }
      if (frame.data.length > 0) {
        if (stream.listener === undefined) stream.early.push(frame.data);
        else stream.listener(frame.data);
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
