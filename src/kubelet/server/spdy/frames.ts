// SPDY/3.1 frames: read from and written to bytes (draft-mbelshe-httpbis-spdy-00). Kubernetes still speaks it for exec, attach and port-forward.
import { constants, createDeflate, createInflate, type Deflate, type Inflate } from "node:zlib";
import { spdyDictionary } from "./dictionary.ts";

export type Headers = Readonly<Record<string, string>>;

export type Frame =
  | { readonly type: "synStream"; readonly stream: number; readonly headers: Headers; readonly fin: boolean }
  | { readonly type: "synReply"; readonly stream: number; readonly headers: Headers; readonly fin: boolean }
  | { readonly type: "rstStream"; readonly stream: number; readonly status: number }
  | { readonly type: "ping"; readonly id: number }
  | { readonly type: "goAway" }
  | { readonly type: "data"; readonly stream: number; readonly data: Buffer; readonly fin: boolean }
  /** SETTINGS, HEADERS, WINDOW_UPDATE and what is unknown: nothing to do for us. */
  | { readonly type: "other" };

const controlType = { synStream: 1, synReply: 2, rstStream: 3, settings: 4, ping: 6, goAway: 7, windowUpdate: 9 } as const;
const finFlag = 1;
const maxFrameBytes = 16 * 1024 * 1024;

/** Header blocks are one zlib stream per direction for the whole connection: blocks must pass in order. */
export class HeaderCodec {
  readonly #deflate: Deflate = createDeflate({ dictionary: spdyDictionary(), level: 6 });
  readonly #inflate: Inflate = createInflate({ dictionary: spdyDictionary() });
  readonly #deflated: Buffer[] = [];
  readonly #inflated: Buffer[] = [];

  constructor() {
    this.#deflate.on("data", (chunk: Buffer) => this.#deflated.push(chunk));
    this.#inflate.on("data", (chunk: Buffer) => this.#inflated.push(chunk));
  }

  compress(headers: Headers): Promise<Buffer> {
    const parts: Buffer[] = [uint32(Object.keys(headers).length)];
    for (const [name, value] of Object.entries(headers))
      parts.push(uint32(Buffer.byteLength(name)), Buffer.from(name), uint32(Buffer.byteLength(value)), Buffer.from(value));
    return flush(this.#deflate, Buffer.concat(parts), this.#deflated);
  }

  async expand(block: Buffer): Promise<Headers> {
    const plain = await flush(this.#inflate, block, this.#inflated);
    const headers: Record<string, string> = Object.create(null) as Record<string, string>;
    let offset = 4;
    const next = (): string => {
      const length = plain.readUInt32BE(offset);
      const text = plain.toString("utf8", offset + 4, offset + 4 + length);
      offset += 4 + length;
      return text;
    };
    for (let left = plain.readUInt32BE(0); left > 0; left--) {
      const name = next();
      headers[name.toLowerCase()] = next();
    }
    return headers;
  }

  close(): void {
    this.#deflate.close();
    this.#inflate.close();
  }
}

function flush(stream: Deflate | Inflate, input: Buffer, collected: Buffer[]): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    stream.once("error", reject);
    stream.write(input);
    stream.flush(constants.Z_SYNC_FLUSH, () => {
      stream.off("error", reject);
      // the data events of this flush are delivered before the next turn
      setImmediate(() => resolve(Buffer.concat(collected.splice(0))));
    });
  });
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
export const windowUpdateFrame = (stream: number, bytes: number): Buffer =>
  control(controlType.windowUpdate, 0, Buffer.concat([uint32(stream), uint32(bytes)]));

export function dataFrame(stream: number, data: Uint8Array, fin: boolean): Buffer {
  const head = Buffer.alloc(8);
  head.writeUInt32BE(stream, 0);
  head.writeUInt32BE(((fin ? finFlag : 0) << 24) | data.length, 4);
  return Buffer.concat([head, data]);
}

/** Cuts a byte stream into frames. `push` may be called with any pieces; frames come out in order. */
export class FrameReader {
  readonly #codec: HeaderCodec;
  #rest: Buffer = Buffer.alloc(0);

  constructor(codec: HeaderCodec) {
    this.#codec = codec;
  }

  async *push(chunk: Buffer): AsyncIterable<Frame> {
    this.#rest = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    while (this.#rest.length >= 8) {
      const length = this.#rest.readUInt32BE(4) & 0xffffff;
      if (length > maxFrameBytes) throw new Error(`SPDY frame of ${length} bytes is too large`);
      if (this.#rest.length < 8 + length) return;
      const frame = this.#rest.subarray(0, 8 + length);
      this.#rest = this.#rest.subarray(8 + length);
      yield await this.#parse(frame);
    }
  }

  async #parse(frame: Buffer): Promise<Frame> {
    const first = frame.readUInt32BE(0);
    const fin = ((frame[4] as number) & finFlag) !== 0; // 8 bytes are there
    const payload = frame.subarray(8);
    if ((first & 0x8000_0000) === 0) return { type: "data", stream: first & 0x7fff_ffff, data: payload, fin };
    switch (first & 0xffff) {
      case controlType.synStream:
        return {
          type: "synStream",
          stream: payload.readUInt32BE(0) & 0x7fff_ffff,
          headers: await this.#codec.expand(payload.subarray(10)),
          fin,
        };
      case controlType.synReply:
        return {
          type: "synReply",
          stream: payload.readUInt32BE(0) & 0x7fff_ffff,
          headers: await this.#codec.expand(payload.subarray(4)),
          fin,
        };
      case controlType.rstStream:
        return { type: "rstStream", stream: payload.readUInt32BE(0) & 0x7fff_ffff, status: payload.readUInt32BE(4) };
      case controlType.ping:
        return { type: "ping", id: payload.readUInt32BE(0) };
      case controlType.goAway:
        return { type: "goAway" };
      default:
        return { type: "other" };
    }
  }
}
