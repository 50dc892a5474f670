// A socket under the server's side of HTTP/2: bytes go between the two as fast as both can take them, and a client that is sent away hears why.
import type { Duplex } from "node:stream";
import { Http2Connection, type Http2Options } from "../http2/connection.ts";
import { reuse } from "../http2/output.ts";

/** A client that has not said so long after connecting that it speaks HTTP/2 is not one. */
const prefaceMs = 10_000;
/** So long a client may take to hang up when the connection is over. */
const goodbyeMs = 1_000;
/** While so much waits for the socket nothing more is read from it. */
const backlogBytes = 1024 * 1024;

export interface Http2Socket {
  /** Sends the client elsewhere; the socket is closed when the requests that have come are answered. */
  finish(): void;
  /** Closes at once. */
  end(): void;
}

/** The socket is ours from here on. */
export function serveHttp2(socket: Duplex, options: Omit<Http2Options, "output">): Http2Socket {
  let scheduled = false;
  let leaving = false;
  let goodbye: NodeJS.Timeout | undefined;
  const hangUp = (): void => void socket.destroy();
  const connection = new Http2Connection({
    ...options,
    output: () => {
      if (scheduled) return;
      scheduled = true;
      process.nextTick(flush); // when this turn's promises have had their say: all its answers in one write
    },
  });
  const preface = setTimeout(hangUp, prefaceMs);

  function flush(): void {
    scheduled = false;
    while (!socket.writableNeedDrain && !socket.destroyed && connection.pending) {
      for (const bytes of connection.take()) {
        socket.write(bytes, (error) => {
          if (!error) reuse(bytes); // after an error nobody knows who still looks at them
        });
      }
    }
    if (connection.over) leave();
    else if (connection.backlog > backlogBytes) socket.pause();
  }

  /** What the client still sends is thrown away. Who has broken the rules has no time to read what was said before. */
  function leave(): void {
    if (!connection.pending) socket.end();
    if (leaving) return;
    leaving = true;
    const wait = (): void => {
      goodbye = setTimeout(hangUp, goodbyeMs);
    };
    if (connection.failure === undefined) socket.once("finish", wait);
    else wait();
  }

  socket.on("data", (bytes: Buffer) => {
    connection.receive(bytes);
    if (connection.settled) clearTimeout(preface);
  });
  socket.on("drain", () => {
    flush();
    if (connection.backlog <= backlogBytes) socket.resume();
  });
  socket.on("error", () => {}); // a client that goes away; "close" follows
  socket.once("close", () => {
    clearTimeout(preface);
    clearTimeout(goodbye);
    connection.closed();
  });
  return {
    finish: () => connection.finish(),
    end: () => {
      connection.shutDown();
      flush();
      socket.destroy();
    },
  };
}
