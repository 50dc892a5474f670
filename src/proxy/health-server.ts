// What the proxy answers over HTTP: its own health, its mode, and per service the health that load balancers ask for (a border module: it opens sockets).
import { createServer, type Server } from "node:http";
import { cannotListen, type Log } from "#base";

export interface Endpoint {
  readonly address: string;
  readonly port: number;
}

export interface Answer {
  readonly code: number;
  readonly body: string;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface HealthServer extends AsyncDisposable {
  readonly port: number;
}

/** `answer` is asked for each GET; undefined is 404. Throws when the port is taken. */
export function serveHealth({ address, port }: Endpoint, answer: (path: string) => Answer | undefined): Promise<HealthServer> {
  return new Promise((resolve, reject) => {
    const server: Server = createServer((request, response) => {
      const { code, body, headers } = answer(request.url?.split("?")[0] ?? "/") ?? { code: 404, body: "404 page not found\n" };
      response
        .writeHead(code, { "X-Content-Type-Options": "nosniff", "Content-Type": "text/plain; charset=utf-8", ...headers })
        .end(body);
    });
    server.once("error", (error) => reject(cannotListen({ address, port }, error)));
    server.listen(port, address, () => {
      const bound = server.address();
      resolve({
        port: typeof bound === "object" && bound !== null ? bound.port : port,
        [Symbol.asyncDispose]: () =>
          new Promise((done) => {
            server.close(() => done());
            server.closeAllConnections();
          }),
      });
    });
  });
}

export interface ServiceHealth {
  readonly port: number;
  /** Endpoints on this node. */
  readonly localEndpoints: number;
}

/** Health-check node ports: opened, followed and closed as services ask for them. */
export class ServiceHealthServers implements AsyncDisposable {
  readonly #log: Log;
  readonly #isHealthy: () => boolean;
  readonly #services = new Map<string, ServiceHealth>();
  /** By service; the port is part, since a service may be made anew with another. */
  readonly #servers = new Map<string, { readonly port: number; readonly server: Promise<HealthServer | undefined> }>();

  constructor(options: { readonly log: Log; readonly isHealthy: () => boolean }) {
    this.#log = options.log;
    this.#isHealthy = options.isHealthy;
  }

  /** Resolves when the socket is as asked; a port that is taken is logged. */
  async put(service: string, health: ServiceHealth | undefined): Promise<void> {
    if (health === undefined) this.#services.delete(service);
    else this.#services.set(service, health);
    const open = this.#servers.get(service);
    if (open?.port === health?.port) return;
    this.#servers.delete(service);
    const closed = open?.server.then((server) => server?.[Symbol.asyncDispose]());
    if (health === undefined) return closed;
    const server = Promise.resolve(closed)
      .then(() => serveHealth({ address: "0.0.0.0", port: health.port }, () => this.#answer(service)))
      .catch((error: unknown) => {
        this.#log.warn("cannot answer health checks of a service", { service, error });
        return undefined;
      });
    this.#servers.set(service, { port: health.port, server });
    await server;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const open = [...this.#servers.values()];
    this.#servers.clear();
    for (const { server } of open) await (await server)?.[Symbol.asyncDispose]();
  }

  #answer(service: string): Answer | undefined {
    const health = this.#services.get(service);
    if (health === undefined) return undefined;
    const [namespace, name] = service.split("/");
    const serviceProxyHealthy = this.#isHealthy();
    return {
      code: health.localEndpoints > 0 && serviceProxyHealthy ? 200 : 503,
      headers: { "Content-Type": "application/json", "X-Load-Balancing-Endpoint-Weight": String(health.localEndpoints) },
      body: JSON.stringify(
        { service: { namespace, name }, localEndpoints: health.localEndpoints, serviceProxyHealthy },
        undefined,
        "\t",
      ),
    };
  }
}
