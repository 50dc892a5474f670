// Terminates the WebSocket protocols of Kubernetes' streaming requests and carries them on to the runtime's SPDY (KEP-4006).
import type { IncomingMessage } from "node:http";
import type { Duplex as Socket } from "node:stream";
import { Duplex } from "node:stream";
import { type WebSocket, WebSocketServer } from "ws";
import { splice } from "#base";
import { SpdyClient, type SpdyStream } from "./spdy/client.ts";
import type { Upgraded } from "./upgrade.ts";

const channels = { stdin: 0, stdout: 1, stderr: 2, error: 3, resize: 4, close: 255 } as const;
/** Newest first. v5 adds the close channel, so that stdin can be half-closed. */
const commandProtocols = ["v5.channel.k8s.io", "v4.channel.k8s.io"];
/** SPDY frames inside binary messages: port-forward since kubectl 1.31 (KEP-4006). */
const tunnelProtocol = "SPDY/3.1+portforward.k8s.io";

/** A client takes an error channel without a word for success, so where the runtime broke off this is said instead. */
const unknownOutcome = Buffer.from(
  JSON.stringify({
    metadata: {},
    status: "Failure",
    message: "the runtime closed the connection before it said how the command ended",
    reason: "InternalError",
    code: 500,
  }),
);

export interface CommandStreams {
  readonly stdin: boolean;
  readonly stdout: boolean;
  readonly stderr: boolean;
  readonly tty: boolean;
}

export const isWebSocket = (request: IncomingMessage): boolean => request.headers.upgrade?.toLowerCase() === "websocket";

const offered = (request: IncomingMessage): string[] =>
  (request.headers["sec-websocket-protocol"] ?? "").split(",").map((name) => name.trim());

/** The protocol to speak for exec and attach, or undefined where the client offers none that we know. */
export const commandProtocol = (request: IncomingMessage): string | undefined =>
  commandProtocols.find((protocol) => offered(request).includes(protocol));

export const wantsTunnel = (request: IncomingMessage): boolean => offered(request).includes(tunnelProtocol);

/** The headers of the SPDY upgrade towards the runtime. */
export const spdyCommandHeaders = {
  Connection: "Upgrade",
  Upgrade: "SPDY/3.1",
  "X-Stream-Protocol-Version": "v4.channel.k8s.io",
};
export const spdyPortForwardHeaders = {
  Connection: "Upgrade",
  Upgrade: "SPDY/3.1",
  "X-Stream-Protocol-Version": "portforward.k8s.io",
};

/** Exec and attach: WebSocket channels on one side, SPDY streams on the other, until the command ends or the client goes. */
export function serveCommand(
  request: IncomingMessage,
  socket: Socket,
  head: Buffer,
  protocol: string,
  streams: CommandStreams,
  runtime: Upgraded,
): void {
  const isOpen = accept(request, socket, head, protocol, (webSocket) => void carryCommand(webSocket, streams, runtime));
  if (!isOpen) runtime.socket.destroy();
}

async function carryCommand(webSocket: WebSocket, streams: CommandStreams, runtime: Upgraded): Promise<void> {
  const spdy = new SpdyClient(runtime.socket, runtime.head);
  // what the client sends before the streams are there must wait, not vanish
  const early: Buffer[] = [];
  let take = (message: Buffer): void => void early.push(message);
  webSocket.on("message", (data: Buffer) => take(data));
  webSocket.on("close", () => spdy.close());
  webSocket.on("error", () => spdy.close());
  try {
    const error = await spdy.open({ streamtype: "error" });
    const stdin = streams.stdin ? await spdy.open({ streamtype: "stdin" }) : undefined;
    const stdout = streams.stdout ? await spdy.open({ streamtype: "stdout" }) : undefined;
    const stderr = streams.stderr && !streams.tty ? await spdy.open({ streamtype: "stderr" }) : undefined;
    const resize = streams.tty ? await spdy.open({ streamtype: "resize" }) : undefined;

    // containerd 1.6 drops a size that arrives before the process has its terminal: the last one is said again with the first output
    let size: Buffer | undefined;
    const resizeTo = (data: Buffer): void => {
      size = data;
      resize?.write(data);
    };
    const repeatSize = (): void => {
      if (size !== undefined) resize?.write(size);
      size = undefined;
    };
    let outcomeKnown = false;
    const forward = (stream: SpdyStream | undefined, channel: number): Promise<void> => {
      stream?.onData((data) => {
        if (channel === channels.error) outcomeKnown = true;
        webSocket.send(Buffer.concat([Buffer.from([channel]), data]));
        if (channel === channels.stdout) repeatSize();
        // a client that reads slowly must slow the command down, not fill our memory
        if (webSocket.bufferedAmount > 1 << 20) pauseUntilDrained(webSocket, runtime.socket);
      });
      return stream?.ended ?? Promise.resolve();
    };
    const done = [forward(stdout, channels.stdout), forward(stderr, channels.stderr), forward(error, channels.error)];
    take = (message) => {
      const data = message.subarray(1);
      if (message[0] === channels.stdin) stdin?.write(data);
      else if (message[0] === channels.resize) resizeTo(data);
      else if (message[0] === channels.close && data[0] === channels.stdin) stdin?.end();
    };
    for (const message of early.splice(0)) take(message);
    await Promise.all(done);
    if (!outcomeKnown) webSocket.send(Buffer.concat([Buffer.from([channels.error]), unknownOutcome]));
    webSocket.close(1000);
  } catch {
    webSocket.close(1011, "the runtime ended the connection");
  } finally {
    spdy.close();
  }
}

function pauseUntilDrained(webSocket: WebSocket, socket: Socket): void {
  if (socket.isPaused()) return;
  socket.pause();
  const look = (): void => {
    if (webSocket.bufferedAmount < 1 << 18 || webSocket.readyState !== webSocket.OPEN) socket.resume();
    else setImmediate(look);
  };
  setImmediate(look);
}

/** Port-forward: the client's SPDY bytes travel inside WebSocket messages; the runtime gets them bare. */
export function serveTunnel(request: IncomingMessage, socket: Socket, head: Buffer, runtime: Upgraded): void {
  const isOpen = accept(request, socket, head, tunnelProtocol, (webSocket) => {
    const bytes = new Duplex({
      read: () => webSocket.resume(),
      write: (chunk: Buffer, _encoding, done) => webSocket.send(chunk, (error) => done(error ?? null)),
      final: (done) => {
        webSocket.close(1000);
        done();
      },
      destroy: (error, done) => {
        webSocket.close(1000);
        done(error);
      },
    });
    webSocket.on("message", (data: Buffer) => {
      if (!bytes.push(data)) webSocket.pause();
    });
    webSocket.on("close", () => bytes.push(null));
    webSocket.on("error", () => bytes.destroy());
    if (runtime.head.length > 0) bytes.write(runtime.head);
    splice(bytes, runtime.socket);
  });
  if (!isOpen) runtime.socket.destroy();
}

/** False: the client is gone, or its request is no WebSocket's. `ws` refuses protocol names with a slash, so the header is taken away from it and the answer's is added by hand. */
function accept(
  request: IncomingMessage,
  socket: Socket,
  head: Buffer,
  protocol: string,
  opened: (webSocket: WebSocket) => void,
): boolean {
  let isOpen = false;
  delete request.headers["sec-websocket-protocol"];
  const server = new WebSocketServer({ noServer: true, perMessageDeflate: false, maxPayload: 16 * 1024 * 1024 });
  server.on("headers", (headers) => headers.push(`Sec-WebSocket-Protocol: ${protocol}`));
  server.handleUpgrade(request, socket, head, (webSocket) => {
    isOpen = true;
    opened(webSocket);
  });
  return isOpen;
}
