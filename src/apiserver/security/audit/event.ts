// One audit event as a line of JSON: audit.k8s.io/v1 at level Metadata. Bodies, tokens and certificates never get here.
import type { AuditEvent } from "../../contract.ts";
import { userOf } from "../authentication/reviews.ts";

export function auditLine(event: AuditEvent): string {
  const { request, decision } = event;
  return `${JSON.stringify({
    kind: "Event",
    apiVersion: "audit.k8s.io/v1",
    level: "Metadata",
    auditID: event.auditID,
    stage: event.stage,
    requestURI: event.requestURI,
    verb: request.verb,
    user: userOf(event.user),
    impersonatedUser: event.impersonatedUser === undefined ? undefined : userOf(event.impersonatedUser),
    sourceIPs: event.sourceIPs.length === 0 ? undefined : event.sourceIPs,
    userAgent: event.userAgent === "" ? undefined : event.userAgent,
    objectRef: request.isResource
      ? {
          resource: request.resource,
          namespace: optional(request.namespace),
          name: optional(event.objectName ?? request.name),
          uid: optional(event.uid ?? ""),
          apiGroup: optional(request.group),
          apiVersion: request.version,
          resourceVersion: optional(event.resourceVersion ?? ""),
          subresource: optional(request.subresource),
        }
      : undefined,
    responseStatus: event.code === undefined ? undefined : { metadata: {}, code: event.code },
    requestReceivedTimestamp: microTime(event.receivedAtMs),
    stageTimestamp: microTime(event.atMs),
    annotations:
      decision === undefined
        ? undefined
        : {
            "authorization.k8s.io/decision": decision.allowed ? "allow" : "forbid",
            "authorization.k8s.io/reason": decision.reason,
          },
  })}\n`;
}

const optional = (text: string): string | undefined => (text === "" ? undefined : text);

/** RFC 3339 with six digits. */
const microTime = (ms: number): string =>
  `${new Date(ms).toISOString().slice(0, 23)}${String(Math.floor((ms % 1) * 1000)).padStart(3, "0")}Z`;
