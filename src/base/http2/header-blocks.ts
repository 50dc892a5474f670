// Header blocks, put together from the frames that they come in; one without an end is not waited for.
import { limits } from "./contract.ts";
import { ConnectionError, checkPriority, errorCode, flag, unpadded } from "./frames.ts";

export interface HeaderBlock {
  readonly stream: number;
  readonly endStream: boolean;
  /** Compressed. */
  readonly block: Buffer;
}

/** Methods throw ConnectionError. */
export class HeaderBlocks {
  #begun: { readonly stream: number; readonly endStream: boolean; readonly pieces: Buffer[]; bytes: number } | undefined;

  /** The stream of the block that has begun and not ended: CONTINUATION must follow. */
  get unfinished(): number | undefined {
    return this.#begun?.stream;
  }

  /** HEADERS. Undefined: more follows. */
  begin(flags: number, stream: number, payload: Buffer): HeaderBlock | undefined {
    if (stream % 2 === 0) throw new ConnectionError(errorCode.protocol, "clients open streams with odd numbers");
    let block = unpadded(flags, payload);
    if ((flags & flag.priority) !== 0) {
      checkPriority(stream, block.subarray(0, 5));
      block = block.subarray(5);
    }
    this.#begun = { stream, endStream: (flags & flag.endStream) !== 0, pieces: [], bytes: 0 };
    return this.continue(flags, block);
  }

  /** CONTINUATION. */
  continue(flags: number, piece: Buffer): HeaderBlock | undefined {
    const begun = this.#begun;
    if (begun === undefined) throw new ConnectionError(errorCode.protocol, "CONTINUATION of nothing");
    begun.bytes += piece.length;
    if (begun.bytes > limits.headerListBytes || begun.pieces.length >= limits.headerFrames)
      throw new ConnectionError(errorCode.enhanceYourCalm, "a header block without end");
    const { stream, endStream, pieces } = begun;
    if ((flags & flag.endHeaders) === 0) {
      pieces.push(Buffer.from(piece));
      return undefined;
    }
    this.#begun = undefined;
    return { stream, endStream, block: pieces.length === 0 ? piece : Buffer.concat([...pieces, piece]) };
  }
}
