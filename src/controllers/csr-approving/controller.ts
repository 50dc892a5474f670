// Approves kubelets' requests for client certificates where their makers are allowed to have one: that is how a node joins, and stays.
import { type CertificateSigningRequest, certificateSigningRequests, subjectAccessReviews } from "#api";
import { type Controller, rfc3339, watchFor } from "#client";
import type { ControllerContext } from "../context.ts";
import { type Approval, planApproval } from "./plan.ts";

export function approvingController({ client, clock, informers, log }: ControllerContext): Controller {
  const requests = informers.informer(certificateSigningRequests);
  const isAllowed = async ({ spec }: CertificateSigningRequest, { subresource }: Approval, signal: AbortSignal) => {
    const { username: user = "", uid, groups, extra } = spec;
    const resourceAttributes = {
      group: certificateSigningRequests.group,
      version: "*",
      resource: certificateSigningRequests.plural,
      subresource,
      verb: "create",
    };
    const review = await client.create(
      subjectAccessReviews,
      { metadata: {}, spec: { user, uid, groups, extra, resourceAttributes } },
      { signal },
    );
    return review.status?.allowed === true;
  };
  return {
    name: "certificatesigningrequest-approving-controller",
    sources: [watchFor(requests)],
    reconcile: async (name, signal) => {
      const request = requests.get(name);
      const approvals = request === undefined ? [] : planApproval(request);
      if (request === undefined || approvals.length === 0) return;
      for (const approval of approvals) {
        if (!(await isAllowed(request, approval, signal))) continue;
        const approved = {
          type: "Approved",
          status: "True",
          reason: "AutoApproved",
          message: approval.message,
          lastUpdateTime: rfc3339(clock.now()),
        };
        const conditions = [...(request.status?.conditions ?? []), approved];
        await client.update(
          certificateSigningRequests,
          { ...request, status: { ...request.status, conditions } },
          { subresource: "approval", signal },
        );
        return;
      }
      log.info("recognized a request whose maker may not have it approved", {
        request: name,
        tried: approvals.map(({ subresource }) => subresource).join(),
      });
      // roles may change: nothing tells, so it is asked again while the request waits
      return { requeueAfterMs: askAgainMs };
    },
  };
}

/** Upstream asks again with backoff, up to 1000 s. */
const askAgainMs = 60_000;
