// The border to kubelets and proxied programs: one request out, its answer streamed back; or two sockets joined after an upgrade.
import { request as httpRequest, type IncomingMessage } from "node:http";
import { request as httpsRequest } from "node:https";
import { connect as connectPlain, type Socket } from "node:net";
import type { Duplex } from "node:stream";
import { connect as connectTls } from "node:tls";
import { type ApiError, apiError } from "#api";
import { dialErrorText, splice } from "#base";
import type { Backend } from "../subresources/backend.ts";

/** Our client certificate for kubelets, PEM. */
export interface KubeletClient {
  readonly cert: string;
  readonly key: string;
  /** PEM; absent: serving certificates of kubelets are not checked (upstream's default). */
  readonly ca?: string;
}

export type HeaderList = Readonly<Record<string, string | readonly string[]>>;

interface ForwardedAnswer {
  readonly code: number;
  readonly headers: HeaderList;
  readonly body: AsyncIterable<Buffer>;
}

const hopByHop = new Set([
  "connection",
  "keep-alive",
  "proxy-connection",
  "transfer-encoding",
  "upgrade",
  "te",
  "trailer",
  "host",
  "http2-settings",
]);
/** Credentials of our caller are never passed on. */
const secret = /^(authorization|cookie|impersonate-.*|:.*)$/;

export function forwardable(headers: HeaderList, keepUpgrade: boolean): Record<string, string | string[]> {
  const result: Record<string, string | string[]> = {};
  for (const [name, value] of Object.entries(headers)) {
    if (secret.test(name) || (hopByHop.has(name) && !(keepUpgrade && (name === "connection" || name === "upgrade")))) continue;
    result[name] = typeof value === "string" ? value : [...value];
  }
  return result;
}

const tlsOptions = (backend: Backend, client: KubeletClient | undefined): object => ({
  rejectUnauthorized: backend.kubelet && client?.ca !== undefined,
  ...(backend.kubelet && client !== undefined
    ? { cert: client.cert, key: client.key, ...(client.ca === undefined ? {} : { ca: client.ca }) }
    : {}),
});

const unreachable = (error: Error, { host, port }: Backend): ApiError =>
  apiError("ServiceUnavailable", `error trying to reach service: ${dialErrorText(error, host, port)}`);

/** Throws ServiceUnavailable when nobody answers. Redirects are not followed. */
export function forward(
  backend: Backend,
  client: KubeletClient | undefined,
  sent: {
    readonly method: string;
    readonly path: string;
    readonly headers: HeaderList;
    readonly body: Buffer;
    readonly signal: AbortSignal;
  },
): Promise<ForwardedAnswer> {
  return new Promise((resolve, reject) => {
    const send = backend.scheme === "https" ? httpsRequest : httpRequest;
    const outgoing = send(
      {
        host: backend.host,
        port: backend.port,
        method: sent.method,
        path: sent.path,
        headers: { ...forwardable(sent.headers, false), "content-length": sent.body.length },
        signal: sent.signal,
        agent: false,
        ...tlsOptions(backend, client),
      },
      (incoming: IncomingMessage) =>
        resolve({ code: incoming.statusCode ?? 502, headers: incoming.headers as HeaderList, body: incoming }),
    );
    outgoing.on("error", (error) => reject(unreachable(error, backend)));
    outgoing.end(sent.body);
  });
}

/** Sends the client's upgrade request to the backend and joins both sockets: whatever protocol they agree on passes through. */
export function join(
  backend: Backend,
  client: KubeletClient | undefined,
  sent: { readonly method: string; readonly path: string; readonly headers: HeaderList },
  socket: Duplex,
  head: Buffer,
  failed: (error: ApiError) => void,
): void {
  const options = { host: backend.host, port: backend.port, ...tlsOptions(backend, client) };
  const upstream: Socket =
    backend.scheme === "https" ? connectTls({ ...options, ALPNProtocols: ["http/1.1"] }) : connectPlain(options);
  let connected = false;
  upstream.once(backend.scheme === "https" ? "secureConnect" : "connect", () => {
    connected = true;
    upstream.setNoDelay(true);
    const lines = [`${sent.method} ${sent.path} HTTP/1.1`, `host: ${backend.host}:${backend.port}`];
    for (const [name, value] of Object.entries(forwardable(sent.headers, true)))
      for (const one of typeof value === "string" ? [value] : value) lines.push(`${name}: ${one}`);
    upstream.write(`${lines.join("\r\n")}\r\n\r\n`);
    if (head.length > 0) upstream.write(head);
    splice(socket, upstream);
  });
  upstream.on("error", (error) => {
    if (!connected) failed(unreachable(error, backend));
  });
  socket.on("close", () => {
    if (!connected) upstream.destroy();
  });
}
