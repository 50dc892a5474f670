// The HTTP side of a request: reads headers and body, authenticates, negotiates the form of the answer, sends it.
import { promisify } from "node:util";
import { gzip } from "node:zlib";
import { ApiError, apiError, badRequest, encodeJson, unauthorized } from "#api";
import { type Random, uuid } from "#base";
import type { UserInfo } from "#client";
import type { Answer } from "../answer.ts";
import type { RequestBody } from "../body.ts";
import { type Chain, type IncomingRequest, type Outcome, serve } from "../chain.ts";
import { parseQuery, type Query } from "../query.ts";
import type { Security } from "../security/mod.ts";
import { type Accepted, checkRoute, negotiate, notAcceptable, type Wanted } from "./accept.ts";
import { backendRefusal, isRefusal } from "./backend-refusal.ts";
import { type Encodable, type Encoded, encode, encodeObject, isStatus } from "./encode.ts";
import type { Exchange } from "./exchange.ts";
import { forward, forwardable, type KubeletClient } from "./outbound.ts";
import { sendWatch } from "./watch-stream.ts";

const bodyLimit = 3 * 1024 * 1024;
const gzipFrom = 128 * 1024;
const gzipped = promisify(gzip);

export interface HttpDeps {
  readonly kubeletClient?: KubeletClient;
  readonly chain: Chain;
  readonly security: Pick<Security, "authenticator" | "anonymousUser">;
  readonly random: Random;
}

const plain: Accepted = { format: "json", transform: "none", metaVersion: "", pretty: false };

/** Never rejects. */
export async function handleExchange(deps: HttpDeps, exchange: Exchange): Promise<void> {
  const auditId = exchange.header("audit-id") ?? uuid(deps.random);
  const head: Record<string, string | readonly string[]> = { "audit-id": auditId, "cache-control": "no-cache, private" };
  try {
    const mark = exchange.url.indexOf("?");
    const path = decodedPath(mark < 0 ? exchange.url : exchange.url.slice(0, mark));
    const query = parseQuery(mark < 0 ? "" : exchange.url.slice(mark + 1));
    const user = await authenticate(deps, exchange, head);
    if (user === undefined) return;
    const timeoutMs = requestTimeoutMs(query);
    const impersonate = impersonation(exchange);
    const body = await readBody(exchange);
    const incoming: IncomingRequest = {
      method: exchange.method,
      path,
      uri: exchange.url,
      query,
      body,
      user,
      auditId,
      userAgent: exchange.header("user-agent") ?? "",
      sourceIPs: [exchange.remoteAddress],
      signal: exchange.method === "GET" ? exchange.signal : undefined,
      header: (name) => exchange.header(name),
      impersonate,
      refused: refusedAccept(exchange, path),
    };
    const outcome = await inTime(deps.chain, timeoutMs, serve(deps.chain, incoming));
    await answer(deps, exchange, query, body, outcome, head);
  } catch (error) {
    fail(deps, exchange, error, head);
  }
}

export function decodedPath(path: string): string {
  try {
    return path.includes("%") ? path.split("/").map(decodeURIComponent).join("/") : path;
  } catch {
    throw badRequest(`invalid URL escape in ${JSON.stringify(path)}`);
  }
}

async function authenticate(
  deps: HttpDeps,
  exchange: Exchange,
  head: Record<string, string | readonly string[]>,
): Promise<UserInfo | undefined> {
  const authorization = exchange.header("authorization");
  const { certificate } = exchange;
  const refuse = (): undefined => {
    sendEncoded(exchange, encodeObject(401, unauthorized().status, negotiate(exchange.header("accept"), false) ?? plain), head);
    exchange.closeConnection();
    return undefined;
  };
  let user: UserInfo | undefined;
  try {
    user = await deps.security.authenticator.authenticate({
      ...(certificate.state === "verified" ? { certificate: certificate.certificate } : {}),
      ...(authorization === undefined ? {} : { authorization }),
    });
  } catch (error) {
    if (error instanceof ApiError && error.code === 401) return refuse();
    throw error;
  }
  if (user !== undefined) return user;
  if (certificate.state === "refused" || deps.security.anonymousUser === undefined) return refuse();
  exchange.closeConnection();
  return deps.security.anonymousUser;
}

/** The user of an upgrade request. Throws Unauthorized. */
export async function authenticateUpgrade(
  deps: HttpDeps,
  certificate: Exchange["certificate"],
  authorization: string | undefined,
  webSocketToken: string | undefined,
): Promise<UserInfo> {
  const user = await deps.security.authenticator.authenticate({
    ...(certificate.state === "verified" ? { certificate: certificate.certificate } : {}),
    ...(authorization === undefined ? {} : { authorization }),
    ...(webSocketToken === undefined ? {} : { webSocketToken }),
  });
  if (user !== undefined) return user;
  if (certificate.state === "refused" || deps.security.anonymousUser === undefined) throw unauthorized();
  return deps.security.anonymousUser;
}

/** Who the Impersonate- headers ask to be; all empty is as if there were none. */
function impersonation(exchange: Exchange): UserInfo | undefined {
  const found = exchange.headers("impersonate-");
  if (found.length === 0) return undefined;
  const all = new Map(found);
  const name = all.get("impersonate-user")?.[0] ?? "";
  const uid = all.get("impersonate-uid")?.[0] ?? "";
  const groups = all.get("impersonate-group") ?? [];
  const extra: Record<string, readonly string[]> = {};
  for (const [header, values] of found) {
    if (header.startsWith("impersonate-extra-")) extra[unescaped(header.slice("impersonate-extra-".length))] = values;
  }
  if (name === "" && uid === "" && groups.every((group) => group === "") && Object.keys(extra).length === 0) return undefined;
  return { name, groups, ...(uid === "" ? {} : { uid }), ...(Object.keys(extra).length === 0 ? {} : { extra }) };
}

/** Percent escapes that make no sense stay as they are. */
function unescaped(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

const longestMs = 60_000;
const unitMs: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3,
  μs: 1e-3,
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
};

/** How long the client gives us, at most a minute. Throws BadRequest for what is no duration. */
function requestTimeoutMs(query: Query): number {
  const text = query.first("timeout") ?? "";
  if (text === "") return longestMs;
  if (!/^[+-]?(?:0|(?:(?:\d+\.?\d*|\.\d+)(?:ns|us|µs|μs|ms|s|m|h))+)$/.test(text)) {
    throw badRequest(`invalid timeout specified in the request URL - time: invalid duration ${JSON.stringify(text)}`);
  }
  let total = 0;
  for (const [, amount, unit] of text.matchAll(/(\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h)/g))
    total += Number(amount) * (unitMs[unit as string] ?? 0);
  return total <= 0 || text.startsWith("-") ? longestMs : Math.min(total, longestMs);
}

/** The work goes on when the time is over (a write may still happen); only the client is told. */
function inTime(chain: Chain, timeoutMs: number, work: Promise<Outcome>): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    let over = false;
    const timer = chain.clock.after(timeoutMs, () => {
      over = true;
      reject(apiError("Timeout", "Timeout: request did not complete within the allotted timeout"));
    });
    work.then((outcome) => {
      timer.cancel();
      if (!over) return resolve(outcome);
      if (outcome.answer.kind === "watch") outcome.answer.watcher.end("closed");
      outcome.finished();
    }, reject); // which it never does
  });
}

async function readBody(exchange: Exchange): Promise<RequestBody> {
  const contentType = exchange.header("content-type") ?? "";
  if (exchange.method === "GET" || exchange.method === "HEAD") return { contentType, bytes: Buffer.alloc(0) };
  const bytes = await exchange.readBody(bodyLimit);
  if (bytes === undefined) throw apiError("RequestEntityTooLarge", `Request entity too large: limit is ${bodyLimit}`);
  return { contentType, bytes };
}

/** A request whose Accept header the router refuses is still authorized first; the refusal then is its answer. */
function refusedAccept(exchange: Exchange, path: string): ApiError | undefined {
  const accept = exchange.header("accept");
  if (accept === undefined || accept === "application/json") return undefined;
  if (!/^\/(api|apis\/[^/]+\/[^/]+)(\/|$)/.test(path)) return undefined;
  return (
    checkRoute(accept, exchange.method === "GET" && requestsCollection(path)) ??
    (negotiate(accept, true) === undefined && !path.endsWith("/api") ? notAcceptable() : undefined)
  );
}

/** Lists and discovery differ from single objects in the types that the router names. */
function requestsCollection(path: string): boolean {
  const parts = path.split("/").filter((part) => part !== "");
  const rest = parts[0] === "apis" ? parts.slice(3) : parts.slice(2);
  return rest.length === 1 || (rest[0] === "namespaces" && rest.length === 3);
}

function wantedOf(deps: HttpDeps, exchange: Exchange, query: Query, accepted: Accepted): Wanted {
  const include = query.first("includeObject");
  if (accepted.transform === "Table" && !["", "None", "Metadata", "Object"].includes(include ?? ""))
    throw badRequest(
      `Unable to convert to Table as requested: includeObject: Invalid value: ${JSON.stringify(include)}: must be 'Metadata', 'Object', 'None', or empty`,
    );
  return {
    ...accepted,
    pretty: accepted.pretty || prettyWanted(exchange, query),
    include: include === "None" || include === "Object" ? include : "Metadata",
    nowMs: deps.chain.clock.now(),
  };
}

function prettyWanted(exchange: Exchange, query: Query): boolean {
  const pretty = query.first("pretty") ?? "";
  if (pretty !== "") return ["1", "t", "T", "true", "TRUE", "True"].includes(pretty);
  return /^(curl|Wget|Mozilla\/5\.0)/.test(exchange.header("user-agent") ?? "");
}

async function answer(
  deps: HttpDeps,
  exchange: Exchange,
  query: Query,
  body: RequestBody,
  outcome: Outcome,
  head: Record<string, string | readonly string[]>,
): Promise<void> {
  if (outcome.warnings.length > 0) head["warning"] = outcome.warnings.map((text) => `299 - ${quoted(text)}`);
  if (outcome.answer.kind === "forward") {
    try {
      return await sendForwarded(deps, exchange, body, outcome.answer, head);
    } finally {
      outcome.finished();
    }
  }
  const transformable = outcome.answer.kind === "object" ? isTransformable(outcome.answer) : outcome.answer.kind !== "raw";
  const accepted =
    outcome.answer.kind === "raw"
      ? plain
      : (negotiate(exchange.header("accept"), transformable) ??
        (outcome.answer.kind === "object" && outcome.answer.code >= 400 ? plain : undefined));
  if (accepted === undefined) {
    if (outcome.answer.kind === "watch") outcome.answer.watcher.end("closed");
    outcome.finished();
    throw notAcceptable();
  }
  const wanted = wantedOf(deps, exchange, query, accepted);
  if (outcome.answer.kind === "watch") {
    await sendWatch(exchange, outcome.answer, wanted, head, (count) => deps.chain.metrics.watchEvents(outcome.info, count));
    outcome.finished();
    return;
  }
  const retry =
    outcome.answer.kind === "object" && outcome.answer.code >= 400
      ? (outcome.answer.object as ApiError["status"]).details?.retryAfterSeconds
      : undefined;
  if (retry !== undefined) head["retry-after"] = String(retry);
  const encoded = encodeOr406(outcome.answer, wanted, exchange.header("accept") ?? "");
  await send(exchange, encoded, head);
  outcome.finished();
}

/** A Status is never anything else, whatever form of the object was asked for (of a refusal not even the format is kept); others have a table. */
const isTransformable = ({ code, object }: Extract<Answer, { kind: "object" }>): boolean =>
  isStatus(object)
    ? code < 400
    : ["Scale", "ComponentStatus", "ComponentStatusList"].includes((object as { kind?: string } | undefined)?.kind ?? "");

/** What has no protobuf form (discovery) goes out as JSON to clients that take that too. */
function encodeOr406(answer: Encodable, wanted: Wanted, accept: string): Encoded {
  try {
    return encode(answer, wanted);
  } catch (error) {
    if (wanted.format === "protobuf" && /application\/json|\*\/\*/.test(accept))
      return encode(answer, { ...wanted, format: "json" });
    if (wanted.format === "protobuf") throw notAcceptable("application/json, application/yaml");
    throw error;
  }
}

async function sendForwarded(
  deps: HttpDeps,
  exchange: Exchange,
  body: RequestBody,
  answer: Extract<Answer, { kind: "forward" }>,
  head: Record<string, string | readonly string[]>,
): Promise<void> {
  if (answer.upgradeOnly) throw badRequest("Upgrade request required");
  const sent = {
    method: answer.method,
    path: answer.path,
    headers: exchange.allHeaders,
    body: body.bytes ?? Buffer.alloc(0),
    signal: exchange.signal,
  };
  const { local } = answer.backend;
  const received = await (local === undefined ? forward(answer.backend, deps.kubeletClient, sent) : local.answer(sent));
  if (answer.refused !== undefined && isRefusal(received.code)) throw await backendRefusal(received, answer.refused);
  const type = received.headers["content-type"] ?? answer.contentType;
  const headers = { ...head, ...forwardable(received.headers, false), ...(type === undefined ? {} : { "content-type": type }) };
  const stream = exchange.stream(received.code, headers);
  try {
    for await (const chunk of received.body) if (!stream.write(chunk)) await stream.drained();
  } catch {
    // The backend or the client went away in the middle: what was sent is all there is.
  }
  stream.end();
}

/** Upstream quotes warnings as Go does and drops what a header cannot carry. */
const quoted = (text: string): string =>
  `"${[...text]
    .filter((character) => character >= " " && character !== "\u007f")
    .join("")
    .replace(/[\\"]/g, "\\$&")}"`;

async function send(exchange: Exchange, encoded: Encoded, head: Record<string, string | readonly string[]>): Promise<void> {
  const size = encoded.body.reduce((sum, chunk) => sum + chunk.length, 0);
  if (size <= gzipFrom || !(exchange.header("accept-encoding") ?? "").includes("gzip"))
    return sendEncoded(exchange, encoded, head);
  const body = await gzipped(Buffer.concat(encoded.body), { level: 1 });
  sendEncoded(exchange, { ...encoded, body: [body] }, { ...head, "content-encoding": "gzip", vary: "Accept-Encoding" });
}

function sendEncoded(exchange: Exchange, encoded: Encoded, head: Record<string, string | readonly string[]>): void {
  exchange.respond(
    encoded.code,
    { ...head, ...(encoded.contentType === "" ? {} : { "content-type": encoded.contentType }), ...encoded.headers },
    exchange.method === "HEAD" ? [] : encoded.body,
  );
}

function fail(deps: HttpDeps, exchange: Exchange, error: unknown, head: Record<string, string | readonly string[]>): void {
  if (exchange.signal.aborted) return;
  const status = error instanceof ApiError ? error.status : undefined;
  if (status === undefined)
    deps.chain.log.error("a request failed by an error of ours", {
      url: exchange.url,
      error: error instanceof Error ? (error.stack ?? error.message) : String(error),
    });
  const shown =
    status ??
    apiError("InternalError", `Internal error occurred: ${error instanceof Error ? error.message : String(error)}`).status;
  const retry = shown.details?.retryAfterSeconds;
  const accepted = negotiate(exchange.header("accept"), false) ?? plain;
  try {
    sendEncoded(
      exchange,
      encodeObject(shown.code ?? 500, shown, accepted),
      retry === undefined ? head : { ...head, "retry-after": String(retry) },
    );
  } catch {
    exchange.respond(shown.code ?? 500, { ...head, "content-type": "application/json" }, [encodeJson(shown)]);
  }
}
