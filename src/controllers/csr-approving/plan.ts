// Which requests of kubelets may be approved without a person, and what their makers must be allowed for it.
import type { CertificateSigningRequest } from "#api";
import { readRequestPem } from "#base";
import { isDecided, isIssued, kubeletClientProblem, signers } from "../shared/certificate-requests.ts";

export interface Approval {
  /** The requester must be allowed to create certificatesigningrequests/<subresource>. */
  readonly subresource: "selfnodeclient" | "nodeclient";
  readonly message: string;
}

const renewal: Approval = {
  subresource: "selfnodeclient",
  message: "Auto approving self kubelet client certificate after SubjectAccessReview.",
};
const first: Approval = {
  subresource: "nodeclient",
  message: "Auto approving kubelet client certificate after SubjectAccessReview.",
};

/** In the order in which they are tried; none: a person decides, or has decided. Throws where the request cannot be read. */
export function planApproval(request: CertificateSigningRequest): readonly Approval[] {
  const { signerName, usages = [], username } = request.spec;
  if (signerName !== signers.kubeletClient || isIssued(request) || isDecided(request)) return [];
  const asked = readRequestPem(Buffer.from(request.spec.request, "base64").toString("latin1"));
  if (kubeletClientProblem(asked, usages) !== undefined) return [];
  return asked.subject.commonName === username ? [renewal, first] : [first];
}
