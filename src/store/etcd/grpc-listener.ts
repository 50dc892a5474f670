// The sockets of our gRPC server (a border module: it opens a port): bytes between them and the HTTP/2 of #base.
import { createServer as createPlainServer, type Server, type Socket } from "node:net";
import { createServer as createTlsServer, type TLSSocket } from "node:tls";
import { type Http2Socket, serveHttp2 } from "#base";
import { GrpcCalls, type GrpcOptions } from "./grpc-calls.ts";

interface GrpcListenOptions extends GrpcOptions {
  /** "127.0.0.1:2379"; port 0: any. */
  readonly listen: string;
  /** PEM. Clients must show a certificate of `ca`. Absent: plain text. */
  readonly tls: { readonly ca: string; readonly certificate: string; readonly key: string } | undefined;
}

interface GrpcListener {
  readonly port: number;
  /** What waits in memory because clients have not read it: of the streams that are open, in bytes. */
  unread(): readonly number[];
  /** Ends every connection at once. */
  close(): Promise<void>;
}

/** Streams of one connection at a time. */
const streams = 10_000;

/** Rejects with the listen error (EADDRINUSE, ...). */
export async function listenGrpc(options: GrpcListenOptions): Promise<GrpcListener> {
  const { tls, listen } = options;
  const connections = new Map<Http2Socket, GrpcCalls>();
  const serve = (socket: Socket): void => {
    const calls = new GrpcCalls(options);
    const connection = serveHttp2(socket, { streams, accept: (head, stream) => calls.accept(head, stream) });
    connections.set(connection, calls);
    socket.once("close", () => connections.delete(connection));
  };
  const server =
    tls === undefined
      ? createPlainServer({ noDelay: true }, serve)
      : createTlsServer(
          {
            cert: tls.certificate,
            key: tls.key,
            ca: tls.ca,
            requestCert: true,
            rejectUnauthorized: true,
            minVersion: "TLSv1.2",
            ALPNProtocols: ["h2"],
            noDelay: true,
          },
          (socket: TLSSocket) => {
            if (socket.alpnProtocol === "h2") serve(socket);
            else socket.destroy();
          },
        );
  // TLS handshakes under way are not connections yet.
  const sockets = new Set<Socket>();
  server.on("connection", (socket: Socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
  });
  const port = await listenOn(server, listen);
  return {
    port,
    unread: () => [...connections.values()].flatMap((calls) => calls.unread()),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const connection of connections.keys()) connection.end();
        for (const socket of sockets) socket.destroy();
      }),
  };
}

function listenOn(server: Server, listen: string): Promise<number> {
  const colon = listen.lastIndexOf(":");
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(Number(listen.slice(colon + 1)), listen.slice(0, colon).replace(/^\[|\]$/g, ""), () => {
      server.removeListener("error", reject);
      const address = server.address();
      resolve(typeof address === "object" && address !== null ? address.port : 0);
    });
  });
}
