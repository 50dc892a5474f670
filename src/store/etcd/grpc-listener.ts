// The sockets of our gRPC server (a border module: it opens a port): bytes between them and the HTTP/2 of #base.
import { createServer as createPlainServer, type Server, type Socket } from "node:net";
import { createServer as createTlsServer, type TLSSocket } from "node:tls";
import { Http2Connection } from "#base";
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

/** A client that has not said so long after connecting that it speaks HTTP/2 is not one. */
const prefaceMs = 10_000;
/** So long a client may take to read why its connection ends. */
const goodbyeMs = 1_000;
/** While so much waits for the socket nothing more is read from it. */
const backlogBytes = 1024 * 1024;

interface Connection {
  readonly calls: GrpcCalls;
  end(): void;
}

/** Rejects with the listen error (EADDRINUSE, ...). */
export async function listenGrpc(options: GrpcListenOptions): Promise<GrpcListener> {
  const { tls, listen } = options;
  const connections = new Set<Connection>();
  const serve = (socket: Socket): void => {
    const connection = serveConnection(socket, new GrpcCalls(options));
    connections.add(connection);
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
    unread: () => [...connections].flatMap(({ calls }) => calls.unread()),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const connection of connections) connection.end();
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

function serveConnection(socket: Socket, calls: GrpcCalls): Connection {
  let scheduled = false;
  let goodbye: NodeJS.Timeout | undefined;
  const connection = new Http2Connection({
    accept: (head, stream) => calls.accept(head, stream),
    output: () => {
      if (scheduled) return;
      scheduled = true;
      process.nextTick(flush); // when this turn's promises have had their say: all its answers in one write
    },
  });
  const preface = setTimeout(() => socket.destroy(), prefaceMs);

  function flush(): void {
    scheduled = false;
    while (!socket.writableNeedDrain && !socket.destroyed && connection.pending) {
      socket.cork();
      for (const bytes of connection.take()) socket.write(bytes);
      socket.uncork();
    }
    if (connection.failure !== undefined) leave();
    else if (connection.backlog > backlogBytes) socket.pause();
  }

  /** The client may read what it has done wrong; what it still sends is thrown away. */
  function leave(): void {
    if (goodbye !== undefined) return;
    goodbye = setTimeout(() => socket.destroy(), goodbyeMs);
    if (!socket.writableNeedDrain) socket.end();
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
    calls,
    end: () => {
      connection.shutDown();
      flush();
      socket.destroy();
    },
  };
}
