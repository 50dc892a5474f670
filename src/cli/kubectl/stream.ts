// Border module: answers that do not end soon, over a connection of their own: logs as they are written, and commands in containers.
import { type ClientRequest, type IncomingMessage, request as plainRequest } from "node:http";
import { type RequestOptions, request as secureRequest } from "node:https";
import { WebSocket } from "ws";
import { ApiError, apiError, type Status } from "#api";
import type { Session } from "./session.ts";

interface Place {
  readonly url: URL;
  readonly options: RequestOptions;
}

async function placeOf(session: Session, path: string, query: URLSearchParams): Promise<Place> {
  const access = await session.access();
  const url = new URL(access.server);
  url.pathname = `${url.pathname.replace(/\/$/, "")}${path}`;
  url.search = query.toString();
  const headers: Record<string, string | string[]> = { "user-agent": "tiphys-kubectl" };
  if (access.token !== undefined)
    headers["authorization"] = `Bearer ${typeof access.token === "string" ? access.token : await access.token()}`;
  const { impersonated } = session;
  if (impersonated !== undefined) {
    headers["impersonate-user"] = impersonated.name;
    if (impersonated.groups.length > 0) headers["impersonate-group"] = [...impersonated.groups];
    if (impersonated.uid !== undefined) headers["impersonate-uid"] = impersonated.uid;
  }
  const options: RequestOptions = {
    ca: access.ca,
    cert: access.clientCertificate,
    key: access.clientKey,
    rejectUnauthorized: access.insecureSkipTlsVerify !== true,
    ...(access.tlsServerName === undefined ? {} : { servername: access.tlsServerName }),
    headers,
  };
  return { url, options };
}

/** The body as it comes. Throws ApiError for an answer from 400 on; ends quietly when the signal aborts. */
export async function* streamText(
  session: Session,
  path: string,
  query: URLSearchParams,
  signal: AbortSignal,
): AsyncGenerator<Buffer> {
  const { url, options } = await placeOf(session, path, query);
  const send = url.protocol === "http:" ? plainRequest : secureRequest;
  const answer = await new Promise<IncomingMessage>((resolve, reject) => {
    const sent: ClientRequest = send(url, { ...options, signal, agent: false }, resolve);
    sent.on("error", reject);
    sent.end();
  });
  if ((answer.statusCode ?? 500) >= 400) throw await errorOf(answer);
  try {
    for await (const chunk of answer) yield chunk as Buffer;
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}

async function errorOf(answer: IncomingMessage): Promise<ApiError> {
  const chunks: Buffer[] = [];
  for await (const chunk of answer) chunks.push(chunk as Buffer);
  const text = Buffer.concat(chunks).toString("utf8");
  try {
    return new ApiError(JSON.parse(text) as Status);
  } catch {
    return apiError(answer.statusCode === 400 ? "BadRequest" : "InternalError", text.trim(), undefined, answer.statusCode);
  }
}

/** A WebSocket that is open, speaking `protocol`. Throws ApiError where the server refuses. */
export async function openWebSocket(
  session: Session,
  path: string,
  query: URLSearchParams,
  protocol: string,
): Promise<WebSocket> {
  const { url, options } = await placeOf(session, path, query);
  url.protocol = url.protocol === "http:" ? "ws:" : "wss:";
  const socket = new WebSocket(url, [protocol], options as ConstructorParameters<typeof WebSocket>[2]);
  await new Promise<void>((resolve, reject) => {
    socket.once("open", () => resolve());
    socket.once("error", reject);
    socket.once("unexpected-response", (sent, answer) => {
      errorOf(answer).then(reject, reject);
      answer.once("end", () => sent.destroy());
    });
  });
  return socket;
}
