// Border module: requests over TLS and HTTP/2, with sessions that are opened on demand, watched by pings and replaced when they die.
import * as http2 from "node:http2";
import { ApiError, apiError } from "#api";
import type { Clock, Log } from "#base";
import { parseFrames } from "./frames.ts";
import type { ApiReply, ApiRequest, Transport, UserInfo } from "./transport.ts";

export interface HttpsOptions {
  /** "https://127.0.0.1:6443", optionally with a path prefix. "http://" is accepted for `kubectl proxy` and tests. */
  readonly server: string;
  /** PEM. Absent: the system's authorities. */
  readonly ca?: string | Buffer;
  readonly clientCertificate?: string | Buffer;
  readonly clientKey?: string | Buffer;
  /** A bearer token; a function is asked before every request, so that a rotated token is used at once. */
  readonly token?: string | (() => string | Promise<string>);
  readonly tlsServerName?: string;
  /** Do not verify the server. Only where a kubeconfig says so. */
  readonly insecureSkipTlsVerify?: boolean;
  readonly impersonate?: UserInfo;
  readonly userAgent: string;
  readonly clock: Clock;
  readonly log: Log;
  /** For requests other than watches; a watch may be silent as long as the server answers pings. Default 60 s. */
  readonly timeoutMs?: number;
  /** Default 15 s; a session whose ping is not answered in as long again is closed. Upstream: 30 s and 15 s. */
  readonly pingPeriodMs?: number;
  /** Streams of one session; beyond that another is opened (servers refuse more than 250 by default). */
  readonly streamsPerSession?: number;
}

interface Session {
  readonly session: http2.ClientHttp2Session;
  readonly connected: Promise<void>;
  streams: number;
  closing: boolean;
}

/** Redirects are never followed: credentials must not travel where a server points (D13). */
export function httpsTransport(options: HttpsOptions): Transport {
  const { clock, log } = options;
  const server = new URL(options.server);
  const prefix = server.pathname === "/" ? "" : server.pathname.replace(/\/$/, "");
  const perSession = options.streamsPerSession ?? 200;
  const pingPeriodMs = options.pingPeriodMs ?? 15_000;
  const sessions = new Set<Session>();
  let closed = false;

  const open = (): Session => {
    const session = http2.connect(server.origin, {
      ca: options.ca,
      cert: options.clientCertificate,
      key: options.clientKey,
      servername: options.tlsServerName,
      rejectUnauthorized: options.insecureSkipTlsVerify !== true,
      ALPNProtocols: ["h2"],
      // Node's default of 10 MB per session kills every request beside a few unread watches.
      maxSessionMemory: 256,
      settings: { enablePush: false, initialWindowSize: 4 * 1024 * 1024 },
    });
    const connected = new Promise<void>((resolve, reject) => {
      session.once("connect", () => {
        session.setLocalWindowSize(32 * 1024 * 1024);
        resolve();
      });
      session.once("error", reject);
      session.once("close", () => reject(new Error("the connection was closed")));
    });
    connected.catch(() => {}); // whoever sends on it reports the failure
    const entry: Session = { session, connected, streams: 0, closing: false };
    const retire = (): void => {
      entry.closing = true;
      sessions.delete(entry);
      if (entry.streams === 0 && !session.destroyed) session.close();
    };
    session.on("error", (error) => {
      log.debug("connection failed", { server: server.origin, error: String(error) });
      retire();
    });
    session.on("goaway", retire);
    session.on("close", () => {
      heartbeat.cancel();
      retire();
    });
    let heartbeat = clock.after(pingPeriodMs, () => beat());
    const beat = (): void => {
      if (session.destroyed || session.closed) return;
      const unanswered = clock.after(pingPeriodMs, () => session.destroy(new Error("the server does not answer pings")));
      const sent = session.ping(() => unanswered.cancel());
      if (!sent) unanswered.cancel();
      heartbeat = clock.after(pingPeriodMs, beat);
    };
    sessions.add(entry);
    return entry;
  };

  const choose = (): Session => {
    for (const entry of sessions) if (!entry.closing && entry.streams < perSession) return entry;
    return open();
  };

  const attempt = async (request: ApiRequest): Promise<ApiReply> => {
    if (closed) throw new Error(`Cannot send "${request.method} ${request.path}": the transport is closed`);
    request.signal?.throwIfAborted();
    const headers = await headersOf(request);
    const entry = choose();
    entry.streams++; // given back when the stream closes
    try {
      await entry.connected;
      if (entry.session.destroyed || entry.session.closed) throw new Error("the connection was closed");
    } catch (error) {
      entry.streams--;
      throw new NotSent(`Cannot reach "${server.origin}": ${reasonOf(error)}`, { cause: error });
    }
    return exchange(entry, headers, request);
  };

  const headersOf = async (request: ApiRequest): Promise<http2.OutgoingHttpHeaders> => {
    const query = new URLSearchParams(request.query).toString();
    const headers: http2.OutgoingHttpHeaders = {
      ":method": request.method,
      ":path": `${prefix}${encodeURI(request.path).replaceAll("%25", "%")}${query === "" ? "" : `?${query}`}`,
      accept: request.accept ?? "application/json",
      "user-agent": options.userAgent,
    };
    if (request.body !== undefined) headers["content-type"] = request.contentType ?? "application/json";
    if (options.token !== undefined)
      headers["authorization"] = `Bearer ${typeof options.token === "string" ? options.token : await options.token()}`;
    if (options.impersonate !== undefined) Object.assign(headers, impersonation(options.impersonate));
    return headers;
  };

  const exchange = (entry: Session, headers: http2.OutgoingHttpHeaders, request: ApiRequest): Promise<ApiReply> =>
    new Promise<ApiReply>((resolve, reject) => {
      const watching = request.query["watch"] === "true" || request.query["watch"] === "1";
      const stream = entry.session.request(headers, { endStream: request.body === undefined });
      const timeoutMs = options.timeoutMs ?? 60_000;
      const fail = (error: Error): void => {
        timer.cancel();
        reject(error);
        if (!stream.destroyed) stream.close(http2.constants.NGHTTP2_CANCEL);
      };
      const timer = clock.after(timeoutMs, () =>
        fail(
          apiError(
            "Timeout",
            `Cannot finish "${request.method} ${request.path}": no answer from "${server.origin}" within ${timeoutMs} ms`,
          ),
        ),
      );
      const onAbort = (): void => fail(request.signal?.reason as Error);
      request.signal?.addEventListener("abort", onAbort, { once: true });
      stream.once("close", () => {
        timer.cancel();
        request.signal?.removeEventListener("abort", onAbort);
        entry.streams--;
        if (entry.closing && entry.streams === 0 && !entry.session.destroyed) entry.session.close();
        // A refused stream was never processed: REFUSED_STREAM, or one above GOAWAY's last id.
        const refused = stream.rstCode === http2.constants.NGHTTP2_REFUSED_STREAM;
        const text = `Cannot finish "${request.method} ${request.path}": the connection to "${server.origin}" was closed`;
        reject(refused ? new NotSent(text) : new ConnectionLost(text));
      });
      stream.on("error", (error) => {
        const refused = stream.rstCode === http2.constants.NGHTTP2_REFUSED_STREAM;
        const text = `Cannot finish "${request.method} ${request.path}": ${reasonOf(error)}`;
        reject(refused ? new NotSent(text, { cause: error }) : new ConnectionLost(text, { cause: error }));
      });
      stream.once("response", (answer) => {
        const code = Number(answer[":status"]);
        if (watching && code === 200) {
          timer.cancel();
          // Errors after this point belong to the reader of the frames.
          resolve({ code: 200, frames: parseFrames(stream, request.signal) });
          return;
        }
        readAll(stream).then(
          (body) => {
            timer.cancel();
            resolve({
              code,
              object: parseBody(body, String(answer["content-type"] ?? "")),
              warnings: warningsOf(answer["warning"]),
            });
          },
          (error: unknown) =>
            reject(
              new ConnectionLost(`Cannot read the answer to "${request.method} ${request.path}": ${reasonOf(error)}`, {
                cause: error,
              }),
            ),
        );
      });
      if (request.body !== undefined) stream.end(typeof request.body === "string" ? request.body : JSON.stringify(request.body));
    });

  return {
    send: async (request) => {
      try {
        return await attempt(request);
      } catch (error) {
        // Not sent at all, or a read: asking again is harmless. Once; who calls has its own backoff.
        const again =
          error instanceof NotSent ||
          (error instanceof ConnectionLost && (request.method === "GET" || request.method === "HEAD"));
        if (!again || closed || request.signal?.aborted === true) throw error;
        return attempt(request);
      }
    },
    [Symbol.asyncDispose]: async () => {
      closed = true;
      for (const { session } of [...sessions]) session.destroy();
      sessions.clear();
    },
  };
}

/** The request never reached the server. */
class NotSent extends Error {}
/** The connection ended with the answer still open: a write may or may not have happened. */
export class ConnectionLost extends Error {}

async function readAll(stream: http2.ClientHttp2Stream): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

function parseBody(body: Buffer, contentType: string): unknown {
  const text = body.toString("utf8");
  if (!contentType.includes("json")) return text;
  try {
    return JSON.parse(text) as unknown;
  } catch (cause) {
    throw new ApiError(
      {
        kind: "Status",
        apiVersion: "v1",
        metadata: {},
        status: "Failure",
        code: 500,
        message: `Cannot read the answer: ${String(cause)}`,
      },
      { cause },
    );
  }
}

// `299 - "text"`, several separated by commas; quotes inside are escaped.
function warningsOf(header: string | string[] | undefined): readonly string[] | undefined {
  if (header === undefined) return undefined;
  const texts: string[] = [];
  for (const value of Array.isArray(header) ? header : [header])
    for (const match of value.matchAll(/299 \S+ "((?:[^"\\]|\\.)*)"/g)) texts.push((match[1] ?? "").replaceAll(/\\(.)/g, "$1"));
  return texts.length === 0 ? undefined : texts;
}

function impersonation(user: UserInfo): http2.OutgoingHttpHeaders {
  const headers: Record<string, string | string[]> = { "impersonate-user": user.name };
  if (user.uid !== undefined) headers["impersonate-uid"] = user.uid;
  if (user.groups.length > 0) headers["impersonate-group"] = [...user.groups];
  for (const [key, values] of Object.entries(user.extra ?? {}))
    headers[`impersonate-extra-${encodeURIComponent(key.toLowerCase())}`] = [...values];
  return headers;
}

function reasonOf(error: unknown): string {
  if (error instanceof AggregateError) return error.errors.map(reasonOf).join(", ");
  return error instanceof Error ? error.message : String(error);
}
