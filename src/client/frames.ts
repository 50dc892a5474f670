// A watch as bytes: one JSON frame per line, cut anywhere by the network.
import type { WatchFrame } from "./transport.ts";

const newline = 0x0a;

/** Ends quietly when the signal aborts. A frame that is not JSON is an error: what follows cannot be trusted. */
export async function* parseFrames(chunks: AsyncIterable<Uint8Array>, signal?: AbortSignal): AsyncGenerator<WatchFrame> {
  let rest: Buffer[] = [];
  try {
    for await (const chunk of chunks) {
      let bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
      for (let end = bytes.indexOf(newline); end !== -1; end = bytes.indexOf(newline)) {
        const line = rest.length === 0 ? bytes.subarray(0, end) : Buffer.concat([...rest, bytes.subarray(0, end)]);
        rest = [];
        bytes = bytes.subarray(end + 1);
        if (line.length > 0) yield JSON.parse(line.toString("utf8")) as WatchFrame;
      }
      if (bytes.length > 0) rest.push(bytes);
    }
  } catch (error) {
    if (signal?.aborted !== true) throw error;
  }
}
