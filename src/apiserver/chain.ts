// The way of every request: impersonation, audit, authorization, then the code that answers (authentication has happened at the border).
import { ApiError, internalError } from "#api";
import { type Clock, type Log, type Random, uuid } from "#base";
import type { UserInfo } from "#client";
import type { Answer } from "./answer.ts";
import type { RequestBody } from "./body.ts";
import type { AuditSink, Decision } from "./contract.ts";
import { type Dispatcher, dispatch, pageNotFound, type ServerRequest } from "./dispatch.ts";
import type { Metrics } from "./metrics.ts";
import type { Query } from "./query.ts";
import { type ParsedRequest, requestInfo } from "./request-info.ts";
import type { Security } from "./security/security.ts";

export interface IncomingRequest {
  readonly method: string;
  /** Decoded path, without the query. */
  readonly path: string;
  /** As it came, for audit. */
  readonly uri: string;
  readonly query: Query;
  readonly body: RequestBody;
  readonly user: UserInfo;
  /** What the answer's Audit-Id says; a new one when absent. */
  readonly auditId?: string;
  readonly impersonate?: UserInfo | undefined;
  readonly userAgent: string;
  readonly sourceIPs: readonly string[];
  readonly signal?: AbortSignal | undefined;
  readonly header?: (name: string) => string | undefined;
  /** What the router says of the Accept header: thrown once the request is authorized. */
  readonly refused?: ApiError | undefined;
}

export interface Outcome {
  readonly answer: Answer;
  readonly warnings: readonly string[];
  readonly info: ParsedRequest;
  /** Called when the answer has been sent (a watch: when it is over). */
  finished(): void;
}

/** Requests on paths that are no resources: discovery, health, metrics, OpenAPI. */
export interface Paths {
  answer(request: ServerRequest): Promise<Answer>;
}

export interface Chain extends Dispatcher {
  readonly security: Pick<Security, "authorizer" | "refusal" | "impersonate">;
  readonly paths: Paths;
  readonly audit: AuditSink | undefined;
  readonly metrics: Metrics;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

const noHeader = (): undefined => undefined;

/** Never throws: failures are answers too. */
export async function serve(chain: Chain, incoming: IncomingRequest): Promise<Outcome> {
  const info = requestInfo(incoming.method, incoming.path, incoming.query);
  const warnings: string[] = [];
  const trail = new AuditTrail(chain, incoming, info);
  const started = chain.metrics.begin(info);
  let answer: Answer;
  try {
    const user =
      incoming.impersonate === undefined
        ? incoming.user
        : await chain.security.impersonate(incoming.user, incoming.impersonate, info);
    trail.impersonated(user);
    const decided = chain.security.authorizer.authorize(user, info);
    const decision = decided instanceof Promise ? await decided : decided;
    trail.decided(decision);
    if (!decision.allowed) throw chain.security.refusal(user, info, decision);
    if (incoming.refused !== undefined) throw incoming.refused;
    const request: ServerRequest = {
      method: incoming.method,
      info,
      query: incoming.query,
      body: incoming.body,
      user,
      userAgent: incoming.userAgent,
      ...(incoming.signal === undefined ? {} : { signal: incoming.signal }),
      warn: (message) => void (warnings.includes(message) || warnings.push(message)),
      header: incoming.header ?? noHeader,
      uri: incoming.uri,
      authorize: async (verb) => {
        const other = await chain.security.authorizer.authorize(user, { ...info, verb });
        if (!other.allowed) throw chain.security.refusal(user, { ...info, verb }, other);
      },
    };
    answer = incoming.path.startsWith("//")
      ? pageNotFound
      : info.isResource
        ? await dispatch(chain, request)
        : await chain.paths.answer(request);
  } catch (error) {
    answer = failure(chain.log, error, info);
  }
  const code = answer.kind === "list" || answer.kind === "watch" || answer.kind === "forward" ? 200 : answer.code;
  if (answer.kind === "watch") trail.started(code);
  return {
    answer,
    warnings,
    info,
    finished: () => {
      started(code);
      trail.completed(code, answer);
    },
  };
}

function failure(log: Log, error: unknown, info: ParsedRequest): Answer {
  if (error instanceof ApiError) return { kind: "object", code: error.code, object: error.status };
  log.error("a request failed by an error of ours", {
    path: info.path,
    verb: info.verb,
    error: error instanceof Error ? (error.stack ?? error.message) : String(error),
  });
  const status = internalError(error).status;
  return { kind: "object", code: status.code, object: status };
}

/** The audit events of one request. */
class AuditTrail {
  readonly #chain: Chain;
  readonly #incoming: IncomingRequest;
  readonly #info: ParsedRequest;
  readonly #auditID: string;
  readonly #receivedAtMs: number;
  #impersonated: UserInfo | undefined;
  #decision: Decision | undefined;

  constructor(chain: Chain, incoming: IncomingRequest, info: ParsedRequest) {
    this.#chain = chain;
    this.#incoming = incoming;
    this.#info = info;
    this.#auditID = chain.audit === undefined ? "" : (incoming.auditId ?? uuid(chain.random));
    this.#receivedAtMs = chain.clock.now();
    this.#record("RequestReceived", undefined, undefined);
  }

  impersonated(user: UserInfo): void {
    if (user !== this.#incoming.user) this.#impersonated = user;
  }

  decided(decision: Decision): void {
    this.#decision = decision;
  }

  started(code: number): void {
    this.#record("ResponseStarted", code, undefined);
  }

  completed(code: number, answer: Answer): void {
    this.#record("ResponseComplete", code, answer.kind === "entry" ? answer.entry.sidecar : undefined);
  }

  #record(
    stage: "RequestReceived" | "ResponseStarted" | "ResponseComplete",
    code: number | undefined,
    object: { readonly name: string; readonly uid: string } | undefined,
  ): void {
    const { audit, clock } = this.#chain;
    if (audit === undefined) return;
    const incoming = this.#incoming;
    audit.record({
      auditID: this.#auditID,
      stage,
      requestURI: incoming.uri,
      request: this.#info,
      user: incoming.user,
      sourceIPs: incoming.sourceIPs,
      userAgent: incoming.userAgent,
      receivedAtMs: this.#receivedAtMs,
      atMs: clock.now(),
      impersonatedUser: this.#impersonated,
      code,
      decision: this.#decision,
      objectName: object?.name,
      uid: object?.uid,
    });
  }
}
