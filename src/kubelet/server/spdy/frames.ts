// SPDY/3.1 frames: read from and written to bytes (draft-mbelshe-httpbis-spdy-00). Kubernetes still speaks it for exec, attach and port-forward.
import { constants, createDeflate, type Deflate } from "node:zlib";
import { spdyDictionary } from "./dictionary.ts";

export type Headers = Readonly<Record<string, string>>;

/** `block` is a compressed header block. A client needs nothing of what a server's blocks say, so they stay as they are. */
export type Frame =
  | { readonly type: "synStream"; readonly stream: number; readonly block: Buffer; readonly fin: boolean }
  | { readonly type: "synReply"; readonly stream: number; readonly block: Buffer; readonly fin: boolean }
  | { readonly type: "rstStream"; readonly stream: number; readonly status: number }
  | { readonly type: "ping"; readonly id: number }
  | { readonly type: "goAway" }
  | { readonly type: "data"; readonly stream: number; readonly data: Buffer; readonly fin: boolean }
  /** SETTINGS, HEADERS, WINDOW_UPDATE and what is unknown: nothing to do for us. */
  | { readonly type: "other" };

const controlType = { synStream: 1, synReply: 2, rstStream: 3, settings: 4, ping: 6, goAway: 7 } as const;
const finFlag = 1;
const maxFrameBytes = 16 * 1024 * 1024;

/** Header blocks are one zlib stream for the whole connection: they must leave in the order in which they were compressed. */
export class HeaderCompressor {
  readonly #deflate: Deflate = createDeflate({ dictionary: spdyDictionary(), level: 6 });
  readonly #deflated: Buffer[] = [];

  constructor() {
    this.#deflate.on("data", (chunk: Buffer) => this.#deflated.push(chunk));
  }

  compress(headers: Headers): Promise<Buffer> {
    const parts: Buffer[] = [uint32(Object.keys(headers).length)];
    for (const [name, value] of Object.entries(headers))
      parts.push(uint32(Buffer.byteLength(name)), Buffer.from(name), uint32(Buffer.byteLength(value)), Buffer.from(value));
    return new Promise((resolve, reject) => {
      this.#deflate.once("error", reject);
      this.#deflate.write(Buffer.concat(parts));
      this.#deflate.flush(constants.Z_SYNC_FLUSH, () => {
        this.#deflate.off("error", reject);
        // the data events of this flush are delivered before the next turn
        setImmediate(() => resolve(Buffer.concat(this.#deflated.splice(0))));
      });
    });
  }

  close(): void {
    this.#deflate.close();
  }
}

const uint32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
};

const control = (type: number, flags: number, payload: Buffer): Buffer => {
  const head = Buffer.alloc(8);
  head.writeUInt16BE(0x8003, 0);
  head.writeUInt16BE(type, 2);
  head.writeUInt32BE((flags << 24) | payload.length, 4);
  return Buffer.concat([head, payload]);
};

export const synStreamFrame = (stream: number, block: Buffer): Buffer =>
  control(controlType.synStream, 0, Buffer.concat([uint32(stream), uint32(0), Buffer.from([0, 0]), block]));
export const synReplyFrame = (stream: number, block: Buffer): Buffer =>
  control(controlType.synReply, 0, Buffer.concat([uint32(stream), block]));
export const rstStreamFrame = (stream: number, status: number): Buffer =>
  control(controlType.rstStream, 0, Buffer.concat([uint32(stream), uint32(status)]));
export const pingFrame = (id: number): Buffer => control(controlType.ping, 0, uint32(id));
export const goAwayFrame = (lastStream: number): Buffer =>
  control(controlType.goAway, 0, Buffer.concat([uint32(lastStream), uint32(0)]));

export function dataFrame(stream: number, data: Uint8Array, fin: boolean): Buffer {
  const head = Buffer.alloc(8);
  head.writeUInt32BE(stream, 0);
  head.writeUInt32BE(((fin ? finFlag : 0) << 24) | data.length, 4);
  return Buffer.concat([head, data]);
}

/** Cuts a byte stream into frames. `push` may be called with any pieces; frames come out in order. */
export class FrameReader {
  #rest: Buffer = Buffer.alloc(0);

  *push(chunk: Buffer): Iterable<Frame> {
    this.#rest = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    while (this.#rest.length >= 8) {
      const length = this.#rest.readUInt32BE(4) & 0xffffff;
      if (length > maxFrameBytes) throw new Error(`SPDY frame of ${length} bytes is too large`);
      if (this.#rest.length < 8 + length) return;
      const frame = this.#rest.subarray(0, 8 + length);
      this.#rest = this.#rest.subarray(8 + length);
      yield parse(frame);
    }
  }
}

function parse(frame: Buffer): Frame {
  const first = frame.readUInt32BE(0);
  const fin = ((frame[4] as number) & finFlag) !== 0; // 8 bytes are there
  const payload = frame.subarray(8);
  if ((first & 0x8000_0000) === 0) return { type: "data", stream: first & 0x7fff_ffff, data: payload, fin };
  const stream = (): number => payload.readUInt32BE(0) & 0x7fff_ffff;
  switch (first & 0xffff) {
    case controlType.synStream:
      return { type: "synStream", stream: stream(), block: payload.subarray(10), fin };
    case controlType.synReply:
      return { type: "synReply", stream: stream(), block: payload.subarray(4), fin };
    case controlType.rstStream:
      return { type: "rstStream", stream: stream(), status: payload.readUInt32BE(4) };
    case controlType.ping:
      return { type: "ping", id: payload.readUInt32BE(0) };
    case controlType.goAway:
      return { type: "goAway" };
    default:
      return { type: "other" };
  }
}
