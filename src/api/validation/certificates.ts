// CertificateSigningRequests: what may be asked for, and what an approver or a signer may write.
import { deepEqual } from "../deep-equal.ts";
import { duplicate, type FieldError, forbiddenField, invalidValue, notSupported, required } from "../errors.ts";
import { isDns1123Label, isDns1123Subdomain } from "../names.ts";
import type { AnyObject, KindRules } from "../rules.ts";
import { plainKind, without } from "./helpers.ts";

const usages = [
  "any",
  "cert sign",
  "client auth",
  "code signing",
  "content commitment",
  "crl sign",
  "data encipherment",
  "decipher only",
  "digital signature",
  "email protection",
  "encipher only",
  "ipsec end system",
  "ipsec tunnel",
  "ipsec user",
  "key agreement",
  "key encipherment",
  "microsoft sgc",
  "netscape sgc",
  "ocsp signing",
  "s/mime",
  "server auth",
  "signing",
  "timestamping",
];

/** The first PEM block must be a request; what is in it is the signer's to judge. */
const isRequest = (base64: string): boolean =>
  /^\s*-----BEGIN CERTIFICATE REQUEST-----[\s\S]+-----END CERTIFICATE REQUEST-----/.test(
    Buffer.from(base64, "base64").toString("latin1"),
  );

function signerErrors(name: string): FieldError[] {
  const field = "spec.signerName";
  const refuse = (value: string, text: string): FieldError[] => [invalidValue(field, value, text)];
  if (name === "") return [required(field)];
  if (name === "kubernetes.io/legacy-unknown") return refuse(name, "the legacy signerName is not allowed via this API version");
  const parts = name.split("/");
  if (parts.length !== 2) return refuse(name, "must be a fully qualified domain and path of the form 'example.com/signer-name'");
  const [domain = "", path = ""] = parts;
  const labels = domain.split(".");
  if (domain !== "" && labels.length < 2)
    return refuse(domain, "should be a domain with at least two segments separated by dots");
  const bad = (part: string, problems: readonly string[]): FieldError[] => problems.flatMap((problem) => refuse(part, problem));
  if (domain === "")
    return bad(
      "",
      isDns1123Subdomain("").map((text) => `validating label "": ${text}`),
    );
  for (const label of labels) {
    const problems = isDns1123Label(label).map((text) => `validating label ${JSON.stringify(label)}: ${text}`);
    if (problems.length > 0) return bad(domain, problems);
  }
  const pathProblems = isDns1123Subdomain(path);
  return pathProblems.length === 0
    ? []
    : bad(
        path,
        pathProblems.map((text) => `validating label ${JSON.stringify(path)}: ${text}`),
      );
}

function requestErrors({ spec = {} }: AnyObject): FieldError[] {
  const errors: FieldError[] = [];
  if (!isRequest(spec.request ?? ""))
    errors.push(invalidValue("spec.request", spec.request ?? null, "PEM block type must be CERTIFICATE REQUEST"));
  const asked: readonly string[] = spec.usages ?? [];
  if (asked.length === 0) errors.push(required("spec.usages"));
  for (const [index, usage] of asked.entries()) {
    const field = `spec.usages[${index}]`;
    if (!usages.includes(usage)) errors.push(notSupported(field, usage, usages));
    if (asked.indexOf(usage) !== index) errors.push(duplicate(field, usage));
  }
  errors.push(...signerErrors(spec.signerName ?? ""));
  const seconds = spec.expirationSeconds;
  if (seconds !== undefined && seconds < 600)
    errors.push(invalidValue("spec.expirationSeconds", seconds, "may not specify a duration less than 600 seconds (10 minutes)"));
  return errors;
}

const certificateData = "<certificate data>";
const decisions: readonly string[] = ["Approved", "Denied", "Failed"];

/** Decisions stand, are only ever made as True, and a certificate is issued once. */
function validateStatus(next: AnyObject, old: AnyObject): FieldError[] {
  const errors: FieldError[] = [];
  const [now, before]: readonly (readonly AnyObject[])[] = [next.status?.conditions ?? [], old.status?.conditions ?? []];
  for (const type of decisions) {
    const had = before?.some((condition) => condition.type === type) ?? false;
    if (had && !now?.some((condition) => condition.type === type))
      errors.push(forbiddenField("status.conditions", `updates may not remove a condition of type ${JSON.stringify(type)}`));
  }
  if (!deepEqual(now, before))
    for (const [index, { type, status }] of (now ?? []).entries())
      if (decisions.includes(type) && status !== "True")
        errors.push(notSupported(`status.conditions[${index}].status`, status ?? "", ["True"]));
  const certificate: string = next.status?.certificate ?? "";
  if (certificate === "" || certificate === (old.status?.certificate ?? "")) return errors;
  if ((old.status?.certificate ?? "") !== "")
    errors.push(forbiddenField("status.certificate", "updates may not set certificate content"));
  const text = Buffer.from(certificate, "base64").toString("latin1");
  const blocks = [...text.matchAll(/-----BEGIN ([^-]+)-----/g)].map((match) => match[1]);
  if (!blocks.includes("CERTIFICATE"))
    errors.push(invalidValue("status.certificate", certificateData, "must contain at least one CERTIFICATE PEM block"));
  return errors;
}

export const certificateRules: Readonly<Record<string, KindRules>> = {
  "certificates.k8s.io/CertificateSigningRequest": plainKind({
    namespaced: false,
    status: true,
    // what is asked for, and by whom, stands: an approval is for exactly that
    prepareForUpdate: (next, old) => ({ ...next, spec: old.spec, status: old.status }),
    owned: (request) => without(request, "spec", "status"),
    check: requestErrors,
    validateStatusUpdate: validateStatus,
  }),
};
