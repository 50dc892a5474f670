// One audit event as a line of JSON: audit.k8s.io/v1 at level Metadata. Bodies, tokens and certificates never get here.
import type { UserInfo } from "#client";
import type { AuditEvent } from "../../contract.ts";
import { userOf } from "../authentication/reviews.ts";

/** Makes the lines of a log. Every request writes two: what repeats (users, the second of the time) is written once and kept. */
export function auditLines(): (event: AuditEvent) => string {
  const users = new WeakMap<UserInfo, string>();
  const userText = (user: UserInfo): string => {
    let text = users.get(user);
    if (text === undefined) {
      text = JSON.stringify(userOf(user));
      users.set(user, text);
    }
    return text;
  };
  const time = microTimes();
  return (event) => {
    const { request, decision } = event;
    let line = `{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"Metadata","auditID":${quoted(event.auditID)},"stage":"${event.stage}","requestURI":${quoted(event.requestURI)},"verb":${quoted(request.verb)},"user":${userText(event.user)}`;
    if (event.impersonatedUser !== undefined) line += `,"impersonatedUser":${userText(event.impersonatedUser)}`;
    if (event.sourceIPs.length > 0) line += `,"sourceIPs":[${event.sourceIPs.map(quoted).join(",")}]`;
    line += field("userAgent", event.userAgent);
    if (request.isResource) {
      line += `,"objectRef":{"resource":${quoted(request.resource)}${field("namespace", request.namespace)}${field("name", event.objectName ?? request.name)}${field("uid", event.uid)}${field("apiGroup", request.group)},"apiVersion":${quoted(request.version)}${field("resourceVersion", event.resourceVersion)}${field("subresource", request.subresource)}}`;
    }
    if (event.code !== undefined) line += `,"responseStatus":{"metadata":{},"code":${event.code}}`;
    line += `,"requestReceivedTimestamp":"${time(event.receivedAtMs)}","stageTimestamp":"${time(event.atMs)}"`;
    if (decision !== undefined)
      line += `,"annotations":{"authorization.k8s.io/decision":"${decision.allowed ? "allow" : "forbid"}","authorization.k8s.io/reason":${quoted(decision.reason)}}`;
    return `${line}}\n`;
  };
}

/** Left out when empty. */
const field = (name: string, text: string | undefined): string =>
  text === undefined || text === "" ? "" : `,"${name}":${quoted(text)}`;

const plain = /^[ !#-[\]-~]*$/;

const quoted = (text: string): string => (plain.test(text) ? `"${text}"` : JSON.stringify(text));

/** RFC 3339 with six digits. */
function microTimes(): (ms: number) => string {
  let second = Number.NaN;
  let head = "";
  return (ms) => {
    const wanted = Math.floor(ms / 1_000);
    if (wanted !== second) {
      second = wanted;
      head = new Date(wanted * 1_000).toISOString().slice(0, 20);
    }
    const micro = Math.floor(ms) * 1_000 - wanted * 1_000_000 + Math.floor((ms % 1) * 1_000);
    return `${head}${String(micro).padStart(6, "0")}Z`;
  };
}
