// When a certificate request has had its time.
import type { CertificateSigningRequest } from "#api";
import { certificateEndMs } from "#base";
import { isIssued } from "../shared/certificate-requests.ts";

const hourMs = 3_600_000;
/** Upstream's times: what is decided is kept for an hour, what nobody looked at for a day. */
const decidedMs = hourMs;
const pendingMs = 24 * hourMs;

/** Milliseconds since 1970 from which it may be deleted; undefined: never, as it is now. */
export function planRemoval(request: CertificateSigningRequest): number | undefined {
  const conditions = request.status?.conditions ?? [];
  const times = conditions.flatMap(({ type, lastUpdateTime }) => {
    const counts = type === "Denied" || type === "Failed" || (type === "Approved" && isIssued(request));
    return counts && lastUpdateTime !== undefined ? [Date.parse(lastUpdateTime) + decidedMs] : [];
  });
  if (isIssued(request) && conditions.some(({ type }) => type === "Approved")) {
    const end = certificateEndMs(Buffer.from(request.status?.certificate ?? "", "base64").toString("latin1"));
    if (end !== undefined) times.push(end);
  }
  const { creationTimestamp } = request.metadata;
  if (conditions.length === 0 && creationTimestamp !== undefined) times.push(Date.parse(creationTimestamp) + pendingMs);
  return times.length === 0 ? undefined : Math.min(...times);
}
