// What the controllers of certificate requests ask of one: was it decided, and is it a kubelet's.
import type { CertificateSigningRequest } from "#api";
import type { CertificateRequest } from "#base";

const has = (request: CertificateSigningRequest, ...types: readonly string[]): boolean =>
  request.status?.conditions?.some(({ type, status }) => types.includes(type) && status === "True") ?? false;

export const isIssued = ({ status }: CertificateSigningRequest): boolean => (status?.certificate ?? "") !== "";
export const isDecided = (request: CertificateSigningRequest): boolean => has(request, "Approved", "Denied");
export const isApproved = (request: CertificateSigningRequest): boolean => has(request, "Approved") && !has(request, "Denied");
export const hasFailed = (request: CertificateSigningRequest): boolean => has(request, "Failed");

export const signers = {
  client: "kubernetes.io/kube-apiserver-client",
  kubeletClient: "kubernetes.io/kube-apiserver-client-kubelet",
  kubeletServing: "kubernetes.io/kubelet-serving",
  legacy: "kubernetes.io/legacy-unknown",
} as const;

/** Why this is no request of a kubelet's client certificate, in upstream's words; undefined: it is one. */
export function kubeletClientProblem(asked: CertificateRequest, usages: readonly string[]): string | undefined {
  const { dns, emails, addresses, uris } = asked.names;
  if (!isOfNodes(asked)) return "subject organization is not system:nodes";
  if (dns.length > 0) return "DNS subjectAltNames are not allowed";
  if (emails.length > 0) return "Email subjectAltNames are not allowed";
  if (addresses.length > 0) return "IP subjectAltNames are not allowed";
  if (uris.length > 0) return "URI subjectAltNames are not allowed";
  return nodeNameProblem(asked) ?? usagesProblem(usages, "client auth");
}

/** The same for the certificate of a kubelet's server. */
export function kubeletServingProblem(asked: CertificateRequest, usages: readonly string[]): string | undefined {
  const { dns, emails, addresses, uris } = asked.names;
  if (!isOfNodes(asked)) return "subject organization is not system:nodes";
  if (dns.length === 0 && addresses.length === 0) return "DNS or IP subjectAltName is required";
  if (emails.length > 0) return "Email subjectAltNames are not allowed";
  if (uris.length > 0) return "URI subjectAltNames are not allowed";
  return usagesProblem(usages, "server auth") ?? nodeNameProblem(asked);
}

function isOfNodes({ subject }: CertificateRequest): boolean {
  const organizations = subject.organizations ?? [];
  return organizations.length === 1 && organizations[0] === "system:nodes";
}

const nodeNameProblem = ({ subject }: CertificateRequest): string | undefined =>
  subject.commonName?.startsWith("system:node:") === true ? undefined : "subject common name does not begin with system:node:";

/** Exactly these; only keys that can encipher need to be meant for it. */
function usagesProblem(usages: readonly string[], purpose: "client auth" | "server auth"): string | undefined {
  const given = [...new Set(usages)].sort();
  const wanted = ["digital signature", "key encipherment", purpose].sort();
  const same = (list: readonly string[]): boolean => list.join() === given.join();
  const fits = same(wanted) || same(wanted.filter((usage) => usage !== "key encipherment"));
  return fits ? undefined : `usages did not match [${wanted.join(" ")}]`;
}
