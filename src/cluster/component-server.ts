// The HTTPS port of controllers and scheduler (10257, 10259): health for everybody, metrics and what else they show for those whom RBAC allows.

import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { cannotListen, type Log, presentedCredentials } from "#base";
import { authenticate, authorize, type Client, verbOf } from "#client";

export interface ComponentServerOptions {
  readonly address: string;
  /** 0: any free one. */
  readonly port: number;
  /** Serving certificate and key, PEM. */
  readonly certificate: string;
  readonly key: string;
  /** Whose client certificates are users, PEM; absent: bearer tokens only. */
  readonly clientCa?: string;
  /** The flag that chooses the port, for the message when it is taken. */
  readonly portFlag: string;
}

/** What a component shows. Nothing of it changes anything: only GET and HEAD are answered. */
export interface ComponentPages {
  /** Undefined: ready; otherwise why not. */
  ready(): string | undefined;
  /** Prometheus' text format. */
  metrics(): Promise<string>;
  /** Any other path; undefined: 404. */
  page?(path: string): object | undefined;
}

export interface ComponentServer extends AsyncDisposable {
  readonly port: number;
}

interface Answer {
  readonly code: number;
  readonly body: string;
  readonly type?: string;
}

const ok: Answer = { code: 200, body: "ok" };
const notFound: Answer = { code: 404, body: "404 page not found\n" };
const requestTimeoutMs = 10_000;

/** `client` asks the API server who a caller is and what they may do. Throws when the port is taken. */
export async function startComponentServer(
  options: ComponentServerOptions,
  pages: ComponentPages,
  { client, log }: { readonly client: Client; readonly log: Log },
): Promise<ComponentServer> {
  const { address, port, certificate, key, clientCa } = options;
  const server = createServer({
    cert: certificate,
    key,
    ...(clientCa === undefined ? {} : { ca: clientCa, requestCert: true, rejectUnauthorized: false }),
    requestTimeout: requestTimeoutMs,
  });
  server.on("request", (request, response) => {
    answerTo(request, pages, client).then(
      (answer) => send(response, answer),
      (error: unknown) => {
        log.warn("cannot answer", { path: request.url, error });
        send(response, { code: 500, body: "Internal Server Error\n" });
      },
    );
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", (error) => reject(cannotListen(options, error)));
    server.listen(port, address, resolve);
  });
  return {
    port: (server.address() as AddressInfo).port,
    [Symbol.asyncDispose]: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function answerTo(request: IncomingMessage, pages: ComponentPages, client: Client): Promise<Answer> {
  const path = (request.url ?? "/").split("?")[0] as string; // a split has a first piece
  if (request.method !== "GET" && request.method !== "HEAD") return { code: 405, body: "Method Not Allowed\n" };
  if (path === "/healthz" || path === "/livez") return ok;
  if (path === "/readyz") {
    const why = pages.ready();
    return why === undefined ? ok : { code: 500, body: `${why}\n` };
  }
  const user = await authenticate(client, presentedCredentials(request));
  if (user === undefined) return { code: 401, body: "Unauthorized\n" };
  const verb = verbOf(request.method);
  if (!(await authorize(client, user, { nonResourceAttributes: { path, verb } })))
    return { code: 403, body: `Forbidden: user "${user.name}" cannot ${verb} path "${path}"\n` };
  if (path === "/metrics") return { code: 200, body: await pages.metrics(), type: "text/plain; version=0.0.4; charset=utf-8" };
  const page = pages.page?.(path);
  return page === undefined ? notFound : { code: 200, body: JSON.stringify(page), type: "application/json" };
}

function send(response: ServerResponse, { code, body, type = "text/plain; charset=utf-8" }: Answer): void {
  response.writeHead(code, {
    "Content-Type": type,
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-cache, private",
  });
  response.end(body);
}
