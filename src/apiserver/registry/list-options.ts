// The options of list, watch and deletecollection: upstream's resourceVersion semantics and its messages.
import { badRequest, type FieldError, forbiddenField, invalid, notSupported } from "#api";
import { isTrue, type Query } from "../query.ts";
import { parseInt64 } from "./options.ts";

export interface ListOptions {
  readonly labelSelector: string;
  readonly fieldSelector: string;
  /** 0: no limit. */
  readonly limit: number;
  readonly continue: string;
  /** "" when absent. */
  readonly resourceVersion: string;
  readonly match: "" | "Exact" | "NotOlderThan";
  readonly allowBookmarks: boolean;
  readonly sendInitialEvents: boolean | undefined;
  readonly timeoutSeconds: number | undefined;
}

const optionalInt = (query: Query, name: string): number | undefined => {
  const text = query.first(name);
  return text === undefined ? undefined : parseInt64(text);
};

export function listOptions(query: Query, watch: boolean): ListOptions {
  const limit = optionalInt(query, "limit") ?? 0;
  const timeoutSeconds = optionalInt(query, "timeoutSeconds");
  const resourceVersion = query.first("resourceVersion") ?? "";
  const match = query.first("resourceVersionMatch") ?? "";
  const token = query.first("continue") ?? "";
  const sendInitialEvents =
    query.has("sendInitialEvents") && query.first("sendInitialEvents") !== "" ? isTrue(query, "sendInitialEvents") : undefined;
  const errors = watch
    ? watchErrors(match, token, sendInitialEvents)
    : listErrors(match, resourceVersion, token, sendInitialEvents);
  if (errors.length > 0) throw invalid({ group: "meta.k8s.io", kind: "ListOptions" }, "", errors);
  return {
    labelSelector: query.first("labelSelector") ?? "",
    fieldSelector: query.first("fieldSelector") ?? "",
    limit: Math.max(0, limit),
    continue: token,
    resourceVersion,
    match: match as ListOptions["match"],
    allowBookmarks: isTrue(query, "allowWatchBookmarks"),
    sendInitialEvents,
    timeoutSeconds,
  };
}

const unsupportedMatch = (match: string, supported: string): FieldError => ({
  ...notSupported("resourceVersionMatch", match, []),
  detail: `supported values: ${supported}`,
});

function listErrors(match: string, resourceVersion: string, token: string, sendInitialEvents: boolean | undefined): FieldError[] {
  const errors: FieldError[] = [];
  const field = "resourceVersionMatch";
  if (match !== "") {
    if (resourceVersion === "")
      errors.push(forbiddenField(field, "resourceVersionMatch is forbidden unless resourceVersion is provided"));
    if (token !== "") errors.push(forbiddenField(field, "resourceVersionMatch is forbidden when continue is provided"));
    if (match !== "Exact" && match !== "NotOlderThan") errors.push(unsupportedMatch(match, '"Exact", "NotOlderThan", ""'));
    if (match === "Exact" && resourceVersion === "0")
      errors.push(forbiddenField(field, 'resourceVersionMatch "exact" is forbidden for resourceVersion "0"'));
  }
  if (sendInitialEvents !== undefined)
    errors.push(forbiddenField("sendInitialEvents", "sendInitialEvents is forbidden for list"));
  return errors;
}

function watchErrors(match: string, token: string, sendInitialEvents: boolean | undefined): FieldError[] {
  const errors: FieldError[] = [];
  const field = "resourceVersionMatch";
  if (token !== "") errors.push(forbiddenField(field, "resourceVersionMatch is forbidden when continue is provided"));
  if (sendInitialEvents !== undefined) {
    if (match !== "NotOlderThan")
      errors.push(forbiddenField(field, "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"));
  } else if (match !== "") {
    errors.push(forbiddenField(field, "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided"));
  }
  if (match !== "" && match !== "NotOlderThan") errors.push(unsupportedMatch(match, '"NotOlderThan"'));
  return errors;
}

/** Throws BadRequest with upstream's text. "" and "0" are 0. */
export function parseResourceVersion(text: string): number {
  if (text === "") return 0;
  if (!/^[0-9]+$/.test(text)) throw badRequest(`invalid resource version: ${resourceVersionProblem(text)}`);
  return Number(text);
}

export const resourceVersionProblem = (text: string): string =>
  `resourceVersion: Invalid value: ${JSON.stringify(text)}: strconv.ParseUint: parsing ${JSON.stringify(text)}: invalid syntax`;

interface ContinueToken {
  /** -1: the latest, consistent no more. */
  readonly revision: number;
  /** The key to go on from, relative to the resource's prefix in the store. */
  readonly start: string;
}

const tokenVersion = "meta.k8s.io/v1";

export const encodeContinue = (token: ContinueToken): string =>
  Buffer.from(JSON.stringify({ v: tokenVersion, rv: token.revision, start: token.start })).toString("base64url");

/** Throws BadRequest with upstream's text. */
export function decodeContinue(text: string): ContinueToken {
  const refuse = (why: string): Error => badRequest(`invalid continue token: continue key is not valid: ${why}`);
  const bad = /[^A-Za-z0-9_-]/.exec(text);
  const alone = text.length % 4 === 1 ? text.length - 1 : -1;
  if (bad !== null || alone >= 0) throw refuse(`illegal base64 data at input byte ${bad?.index ?? alone}`);
  const decoded = Buffer.from(text, "base64url").toString("utf8");
  let token: { v?: unknown; rv?: unknown; start?: unknown };
  try {
    token = JSON.parse(decoded) as typeof token;
  } catch {
    throw refuse(`invalid character '${decoded[0] ?? ""}' looking for beginning of value`);
  }
  const { v = "", rv = 0, start = "" } = token;
  if (typeof rv !== "number")
    throw refuse(`json: cannot unmarshal ${typeof rv} into Go struct field continueToken.rv of type int64`);
  if (v !== tokenVersion) throw refuse(`server does not recognize this encoded version ${String(v)}`);
  if (rv === 0) throw refuse(`incorrect encoded start resourceVersion (version ${tokenVersion})`);
  if (typeof start !== "string" || start === "") throw refuse(`encoded start key empty (version ${tokenVersion})`);
  const cleaned = start.startsWith("/") ? start.slice(1) : start;
  if (cleaned.split("/").includes("..")) throw refuse(start);
  return { revision: rv, start: cleaned };
}
