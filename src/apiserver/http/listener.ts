// The network border: one TLS port for HTTP/2 and HTTP/1.1, client certificates asked for but not required.
import type { IncomingMessage } from "node:http";
import { createServer } from "node:https";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import type { TLSSocket } from "node:tls";
import { type Clock, cannotListen, type Http2Socket, serveHttp2 } from "#base";
import type { Exchange } from "./exchange.ts";
import { Http1Exchange } from "./http1-exchange.ts";
import { Http2Exchange } from "./http2-exchange.ts";
import { dateFields } from "./response-fields.ts";

interface ListenerOptions {
  readonly address: string;
  /** 0: any free port. */
  readonly port: number;
  readonly portFlag?: string;
  /** PEM. */
  readonly cert: string;
  readonly key: string;
  /** PEM; absent: no client certificate is believed. */
  readonly clientCa?: string;
  readonly clock: Clock;
  /** Resolves when no work is done for the request any more; never rejects. */
  readonly handle: (exchange: Exchange) => Promise<void>;
  /** A request to change protocols (exec, port-forward). The callee owns the socket. */
  readonly upgrade: (request: IncomingMessage, socket: Duplex, head: Buffer, certificate: Exchange["certificate"]) => void;
}

export interface Listener {
  readonly port: number;
  /** Asks clients to go elsewhere, waits for requests in flight, then closes what is left. */
  close(graceMs: number): Promise<void>;
}

/** Streams of one HTTP/2 connection at a time, watches among them. */
const streams = 1_000;

/** As upstream (net/http's IdleTimeout); with Node's 5 s a client that pauses finds its connection gone just when it writes. */
const idleMs = 90_000;

/** A client that has vanished without a word must not hold its watches for ever: after so long TCP asks for it (upstream's listener: 3 minutes). */
const silentMs = 180_000;

/** Throws a sentence that says why the port cannot be had. */
export async function listen(options: ListenerOptions): Promise<Listener> {
  const { handle } = options;
  const server = createServer(
    {
      cert: options.cert,
      key: options.key,
      ALPNProtocols: ["h2", "http/1.1"],
      keepAliveTimeout: idleMs,
      keepAlive: true,
      keepAliveInitialDelay: silentMs,
      requestCert: options.clientCa !== undefined,
      rejectUnauthorized: false,
      minVersion: "TLSv1.2",
      ...(options.clientCa === undefined ? {} : { ca: options.clientCa }),
    },
    (request, response) => void handle(new Http1Exchange(request, response, certificateOf(request.socket as TLSSocket))),
  );
  server.on("upgrade", (request: IncomingMessage, socket: Duplex, head: Buffer) =>
    options.upgrade(request, socket, head, certificateOf(socket as TLSSocket)),
  );
  const date = dateFields(options.clock);
  const connections = new Set<Http2Socket>();
  let closing = false;
  const serve = (socket: TLSSocket): void => {
    const peer = {
      remoteAddress: socket.remoteAddress ?? "",
      certificate: certificateOf(socket),
      date,
      closeConnection: () => connection.finish(),
    };
    const connection = serveHttp2(socket, {
      streams,
      accept: (head, stream) => {
        const exchange = new Http2Exchange(head, stream, peer);
        stream.working = true;
        void handle(exchange).then(() => {
          stream.working = false;
        });
        return exchange;
      },
    });
    connections.add(connection);
    if (closing) connection.finish(); // its handshake was under way
    socket.once("close", () => connections.delete(connection));
  };
  // The server takes every connection for HTTP/1.1: what it does with them is for those that are.
  const serveHttp1 = server.listeners("secureConnection") as ((socket: TLSSocket) => void)[];
  server.removeAllListeners("secureConnection");
  server.on("secureConnection", (socket: TLSSocket) => {
    socket.setNoDelay(true);
    socket.on("error", () => {});
    if (socket.alpnProtocol === "h2") serve(socket);
    else for (const each of serveHttp1) each.call(server, socket);
  });
  server.on("tlsClientError", () => {});
  const sockets = new Set<Socket>();
  server.on("connection", (socket: Socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
  });
  await new Promise<void>((resolve, reject) => {
    const failed = (error: Error): void => reject(cannotListen(options, error));
    server.once("error", failed);
    server.listen(options.port, options.address, () => {
      server.removeListener("error", failed);
      resolve();
    });
  });
  const address = server.address();
  return {
    port: typeof address === "object" && address !== null ? address.port : options.port,
    close: (graceMs) =>
      new Promise((resolve) => {
        closing = true;
        const timer = setTimeout(() => {
          for (const connection of connections) connection.end();
          for (const socket of sockets) socket.destroy();
        }, graceMs);
        server.close(() => {
          clearTimeout(timer);
          resolve();
        });
        for (const connection of connections) connection.finish();
      }),
  };
}

const certificates = new WeakMap<TLSSocket, Exchange["certificate"]>();

/** Looked at once per connection. */
function certificateOf(socket: TLSSocket): Exchange["certificate"] {
  const known = certificates.get(socket);
  if (known !== undefined) return known;
  const peer = socket.getPeerCertificate?.();
  let found: Exchange["certificate"] = { state: "none" };
  if (peer !== undefined && peer !== null && peer.raw !== undefined) {
    if (socket.authorized) {
      const { CN, O } = peer.subject as { CN?: string | string[]; O?: string | string[] };
      const organizations = O === undefined ? [] : Array.isArray(O) ? O : [O];
      found = {
        state: "verified",
        certificate: { commonName: Array.isArray(CN) ? (CN.at(-1) ?? "") : (CN ?? ""), organizations, der: peer.raw },
      };
    } else found = { state: "refused" };
  }
  certificates.set(socket, found);
  return found;
}
