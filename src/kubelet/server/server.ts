// The kubelet's HTTPS server (10250): logs, exec, attach, port-forward, the pods of the node. Only the API server and those it authorizes get in.

import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import type { Duplex } from "node:stream";
import type { Pod } from "#api";
import { type Clock, cannotListen, type Log, presentedCredentials, splice } from "#base";
import { authenticate, authorize, type Client, type UserInfo, verbOf } from "#client";
import type { Runtime } from "../runtime.ts";
import { type LogSource, readLog } from "./log-file.ts";
import { flag, LogQueryError, parseLogQuery } from "./log-query.ts";
import { nodeSubresource } from "./node-subresource.ts";
import { sendLog } from "./send-log.ts";
import { UpgradeRefused, upgrade } from "./upgrade.ts";
import {
  commandProtocol,
  isWebSocket,
  serveCommand,
  serveTunnel,
  spdyCommandHeaders,
  spdyPortForwardHeaders,
  wantsTunnel,
} from "./web-socket.ts";

/** A container as its node knows it. */
export interface ContainerHandle {
  /** Undefined: there is none now. */
  readonly containerId: string | undefined;
  /** Undefined: nothing was written yet. */
  readonly log: LogSource | undefined;
}

/** What the server asks of the node (or, for simulated nodes, of all of them). */
export interface ServerBackend {
  readonly runtime: Runtime;
  pods(): readonly Pod[];
  findPod(namespace: string, name: string): Pod | undefined;
  /** `previous`: of the attempt before the current one. */
  findContainer(pod: Pod, container: string, previous: boolean): Promise<ContainerHandle | undefined>;
  /** Id of the pod's running sandbox. */
  findSandbox(pod: Pod): Promise<string | undefined>;
}

export interface KubeletServerOptions {
  readonly nodeName: string;
  readonly address: string;
  /** 0: any free port. */
  readonly port: number;
  readonly certificate: string;
  readonly key: string;
  readonly clientCa: string;
}

export interface KubeletServerDeps {
  readonly client: Client;
  readonly backend: ServerBackend;
  readonly clock: Clock;
  readonly log: Log;
}

export interface RunningKubeletServer extends AsyncDisposable {
  readonly port: number;
  /** New connections see this one from now on. */
  setCertificate(pair: { readonly certificate: string; readonly key: string }): void;
}

export async function startKubeletServer(options: KubeletServerOptions, deps: KubeletServerDeps): Promise<RunningKubeletServer> {
  const service = new KubeletService(options, deps);
  const server = createServer({
    cert: options.certificate,
    key: options.key,
    ca: options.clientCa,
    requestCert: true,
    rejectUnauthorized: false,
  });
  const sockets = new Set<Duplex>();
  server.on("secureConnection", (socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket)).on("error", () => socket.destroy());
  });
  server.on("request", (request, response) => void service.request(request, response));
  server.on("upgrade", (request, socket, head) => void service.upgrade(request, socket, head));
  await listen(server, options);
  return {
    port: (server.address() as AddressInfo).port,
    setCertificate: ({ certificate, key }) => server.setSecureContext({ cert: certificate, key, ca: options.clientCa }),
    [Symbol.asyncDispose]: async () => {
      const closed = new Promise((resolve) => server.close(resolve));
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

function listen(server: Server, options: KubeletServerOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", (error) => reject(cannotListen({ ...options, portFlag: "--kubelet-port" }, error)));
    server.listen(options.port, options.address, resolve);
  });
}

/** An answer that is not a success: a plain text, as upstream's kubelet gives it. */
class Refusal extends Error {
  readonly code: number;
  constructor(code: number, message: string) {
    super(message);
    this.code = code;
  }
}

interface Target {
  readonly pod: Pod;
  readonly container: string;
}

class KubeletService {
  readonly #options: KubeletServerOptions;
  readonly #deps: KubeletServerDeps;

  constructor(options: KubeletServerOptions, deps: KubeletServerDeps) {
    this.#options = options;
    this.#deps = deps;
  }

  async request(request: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      const url = new URL(request.url ?? "/", "https://kubelet");
      await this.#admit(request, url.pathname);
      const parts = url.pathname
        .split("/")
        .filter((part) => part !== "")
        .map(decodeURIComponent);
      if (url.pathname === "/healthz") return void response.end("ok");
      if (url.pathname === "/pods" || url.pathname === "/runningpods") {
        response.setHeader("Content-Type", "application/json");
        return void response.end(
          JSON.stringify({ kind: "PodList", apiVersion: "v1", metadata: {}, items: this.#deps.backend.pods() }),
        );
      }
      if (parts[0] === "containerLogs") return await this.#logs(this.#target(parts), url.searchParams, response);
      if (["exec", "attach", "portForward"].includes(parts[0] ?? ""))
        throw new Refusal(400, "you must specify at least 1 of stdin, stdout, stderr: and ask for an upgrade of the connection");
      if (["stats", "metrics", "logs", "configz", "spec", "debug"].includes(parts[0] ?? ""))
        throw new Refusal(501, `/${parts[0]} is not implemented yet`);
      throw new Refusal(404, "404 page not found");
    } catch (error) {
      this.#refuse(response, error);
    }
  }

  async upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    socket.on("error", () => socket.destroy());
    try {
      const url = new URL(request.url ?? "/", "https://kubelet");
      await this.#admit(request, url.pathname);
      const parts = url.pathname
        .split("/")
        .filter((part) => part !== "")
        .map(decodeURIComponent);
      if (parts[0] === "exec" || parts[0] === "attach")
        return await this.#command(parts[0], this.#target(parts), url.searchParams, request, socket, head);
      if (parts[0] === "portForward") return await this.#portForward(this.#pod(parts), request, socket, head);
      throw new Refusal(404, "404 page not found");
    } catch (error) {
      const code = error instanceof Refusal || error instanceof UpgradeRefused ? error.code : 500;
      const text = error instanceof Error ? error.message : String(error);
      socket.end(
        `HTTP/1.1 ${code} Refused\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: ${Buffer.byteLength(text)}\r\nConnection: close\r\n\r\n${text}`,
      );
    }
  }

  async #admit(request: IncomingMessage, path: string): Promise<UserInfo> {
    const user = await authenticate(this.#deps.client, presentedCredentials(request));
    if (user === undefined) throw new Refusal(401, "Unauthorized");
    const allowed = await authorize(this.#deps.client, user, {
      resourceAttributes: {
        verb: verbOf(request.method),
        group: "",
        version: "v1",
        resource: "nodes",
        name: this.#options.nodeName,
        subresource: nodeSubresource(path),
      },
    });
    if (!allowed)
      throw new Refusal(403, `Forbidden (user=${user.name}, verb=${(request.method ?? "").toLowerCase()}, resource=nodes)`);
    return user;
  }

  /** /exec/NAMESPACE/POD[/UID]/CONTAINER */
  #target(parts: readonly string[]): Target {
    const [, , , fourth = "", fifth] = parts;
    return { pod: this.#pod(parts, fifth === undefined ? undefined : fourth), container: fifth ?? fourth };
  }

  #pod(parts: readonly string[], uid?: string): Pod {
    const [, namespace = "", name = ""] = parts;
    const pod = this.#deps.backend.findPod(namespace, name);
    if (pod === undefined || (uid !== undefined && pod.metadata.uid !== uid))
      throw new Refusal(404, `pod "${name}/${namespace}" not found`);
    return pod;
  }

  async #container({ pod, container }: Target, previous = false): Promise<ContainerHandle> {
    const found = await this.#deps.backend.findContainer(pod, container, previous);
    if (found !== undefined) return found;
    const where = `pod "${pod.metadata.name}"`;
    throw new Refusal(
      previous ? 400 : 404,
      previous
        ? `previous terminated container "${container}" in ${where} not found`
        : `container "${container}" in ${where} is not available`,
    );
  }

  async #logs(target: Target, search: URLSearchParams, response: ServerResponse): Promise<void> {
    const query = parseLogQuery(search, this.#deps.clock.now());
    const { log } = await this.#container(target, query.previous);
    response.setHeader("Content-Type", "text/plain");
    response.writeHead(200);
    response.flushHeaders();
    if (log === undefined) return void response.end();
    try {
      await sendLog(response, (gone) => readLog(log, query, gone));
      response.end();
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOENT")
        this.#deps.log.warn("cannot read a container's log", { path: log.path, error });
      response.end();
    }
  }

  async #command(
    kind: "exec" | "attach",
    target: Target,
    search: URLSearchParams,
    request: IncomingMessage,
    socket: Duplex,
    head: Buffer,
  ): Promise<void> {
    const streams = {
      stdin: flag(search, "input"),
      stdout: flag(search, "output"),
      stderr: flag(search, "error"),
      tty: flag(search, "tty"),
    };
    if (!streams.stdin && !streams.stdout && !streams.stderr)
      throw new Refusal(400, "you must specify at least 1 of stdin, stdout, stderr");
    const { containerId } = await this.#container(target);
    if (containerId === undefined) throw new Refusal(404, `container not found ("${target.container}")`);
    const { runtime } = this.#deps.backend;
    const wanted = { ...streams, stderr: streams.stderr && !streams.tty };
    const url =
      kind === "exec"
        ? await runtime.exec(containerId, search.getAll("command"), wanted)
        : await runtime.attach(containerId, wanted);
    if (isWebSocket(request)) {
      const protocol = commandProtocol(request);
      if (protocol === undefined)
        throw new Refusal(
          400,
          `unable to upgrade: none of the protocols "${request.headers["sec-websocket-protocol"] ?? ""}" is known`,
        );
      return serveCommand(request, socket, head, protocol, streams, await upgrade(url, spdyCommandHeaders));
    }
    const versions = request.headers["x-stream-protocol-version"];
    await this.#passThrough(
      url,
      { ...spdyCommandHeaders, ...(versions === undefined ? {} : { "X-Stream-Protocol-Version": versions }) },
      socket,
      head,
    );
  }

  async #portForward(pod: Pod, request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    const sandbox = await this.#deps.backend.findSandbox(pod);
    if (sandbox === undefined) throw new Refusal(404, `pod "${pod.metadata.name}" has no running sandbox`);
    const url = await this.#deps.backend.runtime.portForward(sandbox, []);
    if (isWebSocket(request)) {
      if (!wantsTunnel(request))
        throw new Refusal(
          400,
          `unable to upgrade: none of the protocols "${request.headers["sec-websocket-protocol"] ?? ""}" is known`,
        );
      return serveTunnel(request, socket, head, await upgrade(url, spdyPortForwardHeaders));
    }
    await this.#passThrough(url, spdyPortForwardHeaders, socket, head);
  }

  /** SPDY all the way: the runtime's answer and bytes go to the client as they are. */
  async #passThrough(
    url: string,
    headers: Readonly<Record<string, string | string[]>>,
    socket: Duplex,
    head: Buffer,
  ): Promise<void> {
    const runtime = await upgrade(url, headers);
    const version = runtime.headers["x-stream-protocol-version"];
    socket.write(
      `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\n${version === undefined ? "" : `X-Stream-Protocol-Version: ${String(version)}\r\n`}\r\n`,
    );
    if (runtime.head.length > 0) socket.write(runtime.head);
    if (head.length > 0) runtime.socket.write(head);
    splice(socket, runtime.socket);
  }

  #refuse(response: ServerResponse, error: unknown): void {
    const code = error instanceof Refusal ? error.code : error instanceof LogQueryError ? 400 : 500;
    if (code === 500) this.#deps.log.error("a request to the kubelet failed", { error });
    if (response.headersSent) return void response.destroy();
    response.writeHead(code, { "Content-Type": "text/plain; charset=utf-8" });
    response.end(`${error instanceof Error ? error.message : String(error)}\n`);
  }
}
