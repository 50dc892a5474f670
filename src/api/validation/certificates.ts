// CertificateSigningRequests: what may be asked for, and what an approver or a signer may write.
import { isCertificate, readPem, readRequestPem } from "#base";
import { deepEqual } from "../deep-equal.ts";
import { duplicate, type FieldError, forbiddenField, invalidValue, notSupported, required, tooLong } from "../errors.ts";
import { isDns1123Label, isDns1123Subdomain } from "../names.ts";
import type { AnyObject, KindRules } from "../rules.ts";
import { plainKind, without } from "./helpers.ts";
import { pathSegmentName, validateObjectMetaUpdate } from "./meta.ts";

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

/** What keeps the first PEM block from being a request; who may have what it asks for is the signer's to judge. */
function requestProblem(base64: string): string | undefined {
  try {
    readRequestPem(Buffer.from(base64, "base64").toString("latin1"));
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}

/** A domain and a path of 253 characters each, and the most that resource names take besides. */
const longestSignerName = 571;

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
  return [
    ...bad(
      path,
      isDns1123Subdomain(path).map((text) => `validating label ${JSON.stringify(path)}: ${text}`),
    ),
    ...(Buffer.byteLength(name) > longestSignerName ? [tooLong(field, longestSignerName)] : []),
  ];
}

function requestErrors({ spec = {} }: AnyObject): FieldError[] {
  const errors: FieldError[] = [];
  const problem = requestProblem(spec.request ?? "");
  if (problem !== undefined) errors.push(invalidValue("spec.request", spec.request ?? null, problem));
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
const approvals: readonly string[] = ["Approved", "Denied"];

const conditionsOf = (object: AnyObject): readonly AnyObject[] => object.status?.conditions ?? [];
const ofType = (object: AnyObject, type: string): readonly AnyObject[] =>
  conditionsOf(object).filter((condition) => condition.type === type);

function conditionErrors(conditions: readonly AnyObject[]): FieldError[] {
  const errors: FieldError[] = [];
  const seen = new Set<string>();
  for (const [index, { type = "", status = "" }] of conditions.entries()) {
    const field = `status.conditions[${index}]`;
    if (type === "") errors.push(required(`${field}.type`));
    const allowed = decisions.includes(type) ? ["True"] : ["False", "True", "Unknown"];
    if (status === "") errors.push(required(`${field}.status`));
    else if (!allowed.includes(status)) errors.push(notSupported(`${field}.status`, status, allowed));
    const other = approvals.find((approval) => approval !== type);
    if (approvals.includes(type) && seen.has(other ?? ""))
      errors.push(invalidValue("status.conditions", type, "Approved and Denied conditions are mutually exclusive"));
    if (seen.has(type)) errors.push(duplicate(`${field}.type`, type));
    seen.add(type);
  }
  return errors;
}

/** What keeps a text from being one or more certificates. */
function certificateProblem(base64: string): string | undefined {
  const blocks = readPem(Buffer.from(base64, "base64").toString("latin1"));
  for (const { label, hasHeaders, bytes } of blocks) {
    if (label !== "CERTIFICATE") return `only CERTIFICATE PEM blocks are allowed, found ${JSON.stringify(label)}`;
    if (hasHeaders) return "no PEM block headers are permitted";
    if (!isCertificate(bytes)) return "x509: malformed certificate";
  }
  return blocks.length === 0 ? "must contain at least one CERTIFICATE PEM block" : undefined;
}

const refuseConditions = (action: string, type: string): FieldError =>
  forbiddenField("status.conditions", `updates may not ${action} a condition of type ${JSON.stringify(type)}`);

/** Decisions stand and are only ever made as True; who approves says so in /approval, who signs in /status. */
function decisionErrors(next: AnyObject, old: AnyObject): FieldError[] {
  const errors = deepEqual(conditionsOf(next), conditionsOf(old)) ? [] : conditionErrors(conditionsOf(next));
  for (const type of decisions)
    if (ofType(next, type).length < ofType(old, type).length) errors.push(refuseConditions("remove", type));
  return errors;
}

export const validateApproval = (next: AnyObject, old: AnyObject): FieldError[] => [
  ...validateObjectMetaUpdate(next.metadata, old.metadata),
  ...decisionErrors(next, old),
];

function validateStatus(next: AnyObject, old: AnyObject): FieldError[] {
  const errors = decisionErrors(next, old);
  const certificate: string = next.status?.certificate ?? "";
  const before: string = old.status?.certificate ?? "";
  const changes = certificate !== before;
  const problem = changes && certificate !== "" ? certificateProblem(certificate) : undefined;
  if (problem !== undefined) errors.push(invalidValue("status.certificate", certificateData, problem));
  for (const type of approvals) {
    const [now, had] = [ofType(next, type), ofType(old, type)];
    if (now.length > had.length) errors.push(refuseConditions("add", type));
    else if (now.length === had.length && !deepEqual(now, had)) errors.push(refuseConditions("modify", type));
  }
  if (changes && before !== "")
    errors.push(forbiddenField("status.certificate", "updates may not modify existing certificate content"));
  return errors;
}

export const certificateRules: Readonly<Record<string, KindRules>> = {
  "certificates.k8s.io/CertificateSigningRequest": plainKind({
    namespaced: false,
    // kubelets name their requests after the key that they are for, in base64
    name: pathSegmentName,
    status: true,
    // what is asked for, and by whom, stands: an approval is for exactly that
    prepareForUpdate: (next, old) => ({ ...next, spec: old.spec, status: old.status }),
    owned: (request) => without(request, "spec", "status"),
    check: requestErrors,
    validateStatusUpdate: validateStatus,
  }),
};
