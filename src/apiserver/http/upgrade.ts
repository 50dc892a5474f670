// Requests that change protocols (exec, attach, port-forward, proxied WebSockets): authorized like any other, then tunnelled.
import { type IncomingMessage, STATUS_CODES } from "node:http";
import type { Duplex } from "node:stream";
import { type ApiError, badRequest, encodeJson } from "#api";
import { serve } from "../chain.ts";
import type { LocalNode } from "../contract.ts";
import { parseQuery } from "../query.ts";
import type { Exchange } from "./exchange.ts";
import { authenticateUpgrade, decodedPath, type HttpDeps } from "./handler.ts";
import { type HeaderList, join } from "./outbound.ts";

const tokenProtocol = "base64url.bearer.authorization.k8s.io.";

/** Never throws; the socket is ours from here on. */
export async function handleUpgrade(
  deps: HttpDeps,
  request: IncomingMessage,
  socket: Duplex,
  head: Buffer,
  certificate: Exchange["certificate"],
): Promise<void> {
  socket.on("error", () => {});
  const url = request.url ?? "/";
  const mark = url.indexOf("?");
  const protocols = String(request.headers["sec-websocket-protocol"] ?? "")
    .split(",")
    .map((text) => text.trim())
    .filter((text) => text !== "");
  const tokenEntry = protocols.find((text) => text.startsWith(tokenProtocol));
  const refuse = (error: { readonly status: { readonly code?: number } }): void =>
    refuseUpgrade(socket, error.status as ApiError["status"]);
  try {
    const user = await authenticateUpgrade(
      deps,
      certificate,
      request.headers.authorization,
      tokenEntry === undefined ? undefined : Buffer.from(tokenEntry.slice(tokenProtocol.length), "base64url").toString("utf8"),
    );
    const outcome = await serve(deps.chain, {
      method: request.method ?? "GET",
      path: decodedPath(mark < 0 ? url : url.slice(0, mark)),
      uri: url,
      query: parseQuery(mark < 0 ? "" : url.slice(mark + 1)),
      body: { contentType: "", bytes: Buffer.alloc(0) },
      user,
      userAgent: request.headers["user-agent"] ?? "",
      sourceIPs: [(socket as { remoteAddress?: string }).remoteAddress ?? ""],
      header: (name) => String(request.headers[name] ?? "") || undefined,
    });
    const { answer } = outcome;
    if (answer.kind === "watch") answer.watcher.end("closed");
    if (socket.destroyed) return outcome.finished(); // "close" may have been said already
    socket.once("close", () => outcome.finished());
    if (answer.kind !== "forward") {
      const status = answer.kind === "object" ? (answer.object as ApiError["status"]) : undefined;
      return refuseUpgrade(
        socket,
        status ??
          ({
            kind: "Status",
            apiVersion: "v1",
            metadata: {},
            status: "Failure",
            message: "this request cannot be upgraded",
            reason: "BadRequest",
            code: 400,
          } as ApiError["status"]),
      );
    }
    if (answer.backend.local !== undefined) return refuse(await refusalOf(answer.backend.local, answer));
    const headers: Record<string, string | readonly string[]> = { ...(request.headers as HeaderList) };
    const kept = protocols.filter((text) => text !== tokenEntry);
    if (kept.length > 0) headers["sec-websocket-protocol"] = kept.join(", ");
    join(answer.backend, deps.kubeletClient, { method: answer.method, path: answer.path, headers }, socket, head, refuse);
  } catch (error) {
    refuse(error as ApiError);
  }
}

/** A node of this process has no protocol to change to: its answer is the reason. */
async function refusalOf(node: LocalNode, asked: { readonly method: string; readonly path: string }): Promise<ApiError> {
  const { body } = await node.answer({ ...asked, signal: new AbortController().signal });
  const chunks: Buffer[] = [];
  for await (const chunk of body) chunks.push(chunk);
  return badRequest(Buffer.concat(chunks).toString("utf8"));
}

function refuseUpgrade(socket: Duplex, status: ApiError["status"] | undefined): void {
  const code = status?.code ?? 500;
  const body = encodeJson(status ?? { kind: "Status", apiVersion: "v1", metadata: {}, status: "Failure", code });
  socket.end(
    `HTTP/1.1 ${code} ${STATUS_CODES[code] ?? ""}\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\nconnection: close\r\n\r\n${body.toString("utf8")}`,
  );
}
