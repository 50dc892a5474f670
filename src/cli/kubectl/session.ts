// A command's way to the cluster: connected when it is first needed, with everything that the global flags say.
import type { Readable } from "node:stream";
import { ApiError, type ApiObject, type ResourceType } from "#api";
import { createLog, type Files, parseDuration, systemClock } from "#base";
import { type Client, createClient, httpsTransport, type KubeconfigOptions, type Transport, type UserInfo } from "#client";
import { type Config, connection, readConfig } from "./config.ts";
import { discover, type Resources, resourceOf } from "./discovery.ts";
import { Failure } from "./failure.ts";
import type { GlobalOptions } from "./global-flags.ts";

/** The user's side: everything that a command reads and writes outside the cluster. */
export interface Terminal {
  readonly out: (text: string) => void;
  readonly error: (text: string) => void;
  readonly input: Readable;
  readonly output: NodeJS.WritableStream & { readonly columns?: number; readonly rows?: number };
  readonly files: Files;
  readonly home: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Aborted when the user wants no more. */
  readonly signal: AbortSignal;
}

/** Any object: its type is known only to the server. */
export type AnyObject = ApiObject & { readonly [field: string]: unknown };

const never = 2 ** 31 - 1;

export class Session implements AsyncDisposable {
  readonly terminal: Terminal;
  readonly options: GlobalOptions;
  #config: Promise<Config> | undefined;
  #connected: Promise<{ access: KubeconfigOptions; client: Client }> | undefined;
  #transport: Transport | undefined;
  #resources: Promise<Resources> | undefined;

  constructor(options: GlobalOptions, terminal: Terminal) {
    this.options = options;
    this.terminal = terminal;
  }

  config(): Promise<Config> {
    const { home, environment, files } = this.terminal;
    this.#config ??= readConfig({ explicit: this.options.kubeconfig, variable: environment["KUBECONFIG"], home }, files);
    return this.#config;
  }

  /** Server and credentials, for connections of another kind than the client's. */
  async access(): Promise<KubeconfigOptions> {
    return (await this.#connect()).access;
  }

  async client(): Promise<Client> {
    return (await this.#connect()).client;
  }

  resources(): Promise<Resources> {
    this.#resources ??= this.client().then(discover);
    return this.#resources;
  }

  async namespace(): Promise<string> {
    return this.options.namespace ?? (await this.access()).namespace ?? "default";
  }

  /** The type of an object of a file. */
  async typeOf(object: ApiObject, source: string): Promise<ResourceType> {
    const { apiVersion = "", kind = "" } = object;
    const type = resourceOf(await this.resources(), apiVersion, kind);
    if (type === undefined)
      throw new Failure(
        `error: resource mapping not found for name: "${object.metadata?.name ?? ""}" namespace: "${object.metadata?.namespace ?? ""}" from "${source}": no matches for kind "${kind}" in version "${apiVersion}"\nensure CRDs are installed first`,
      );
    return type;
  }

  /** Who is impersonated by --as. */
  get impersonated(): UserInfo | undefined {
    const { as, asGroup, asUid } = this.options;
    if (as === undefined && (asGroup.length > 0 || asUid !== undefined))
      throw new Failure("error: requesting uid, groups or user-extra for impersonation without impersonating a user");
    return as === undefined ? undefined : { name: as, groups: asGroup, uid: asUid };
  }

  get timeoutMs(): number {
    const text = this.options.requestTimeout;
    const timeoutMs = /^\d+$/.test(text) ? Number(text) * 1000 : parseDuration(text);
    if (timeoutMs === undefined)
      throw new Failure(
        `error: Invalid timeout value. Timeout must be a single integer in seconds, or an integer followed by a corresponding time unit (e.g. 1s | 2m | 3h)`,
      );
    return timeoutMs === 0 ? never : Math.min(timeoutMs, never);
  }

  /** The server's address, once it is known. */
  server: string | undefined;

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#transport?.[Symbol.asyncDispose]();
  }

  #connect(): Promise<{ access: KubeconfigOptions; client: Client }> {
    this.#connected ??= this.#open();
    return this.#connected;
  }

  async #open(): Promise<{ access: KubeconfigOptions; client: Client }> {
    const access = await connection(await this.config(), this.options, this.terminal.files);
    this.server = access.server;
    this.#transport = httpsTransport({
      ...access,
      impersonate: this.impersonated,
      userAgent: "tiphys-kubectl",
      clock: systemClock,
      log: createLog({ level: "error", format: "text" }),
      timeoutMs: this.timeoutMs,
    });
    const warned = new Set<string>();
    const onWarning = (text: string): void => {
      if (!warned.has(text)) this.terminal.error(`Warning: ${text}\n`);
      warned.add(text);
    };
    return { access, client: createClient(this.#transport, { onWarning }) };
  }
}

/** The object of an answer that is no watch. */
export async function fetchObject<T>(client: Client, request: Parameters<Client["send"]>[0]): Promise<T> {
  const reply = await client.send(request);
  if (!("object" in reply))
    throw new ApiError({ kind: "Status", apiVersion: "v1", metadata: {}, message: "the server began a watch", code: 500 });
  return reply.object as T; // the caller names what it asked for
}
