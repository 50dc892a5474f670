// Answers TokenRequest: issues bound service account tokens (KEP-1205, KEP-4193).
import {
  type ApiError,
  type ApiObject,
  badRequest,
  conflict,
  type FieldError,
  invalid,
  invalidValue,
  type JsonObject,
  nodes,
  notFound,
  type ObjectMeta,
  type Pod,
  pods,
  type ResourceType,
  type Stored,
  secrets,
} from "#api";
import { type Clock, type Random, uuid } from "#base";
import { rfc3339 } from "#client";
import type { ObjectReader } from "../../contract.ts";
import { signToken, type TokenKey } from "./jwt.ts";
import { serviceAccountUserName } from "./service-account-tokens.ts";

export interface TokenIssuer {
  readonly reader: ObjectReader;
  readonly clock: Clock;
  readonly random: Random;
  readonly key: TokenKey;
  readonly issuer: string;
  readonly audiences: readonly string[];
}

interface BoundObjectRef {
  readonly kind?: string;
  readonly apiVersion?: string;
  readonly name?: string;
  readonly uid?: string;
}

interface TokenRequestSpec {
  readonly audiences?: readonly string[] | null;
  readonly expirationSeconds?: number;
  readonly boundObjectRef?: BoundObjectRef | null;
}

// The lifetime that the ServiceAccount admission plugin asks for; such tokens live a year, so that clients that never read them again go on (KEP-1205).
const renewableSeconds = 3607;
const extendedSeconds = 365 * 24 * 3600;

/**
 * `request` is the decoded TokenRequest (with managed fields, if any). Throws Invalid, BadRequest, NotFound or Conflict with upstream's texts.
 */
export function requestToken(issuer: TokenIssuer, account: Stored<ApiObject>, request: ApiObject): ApiObject {
  const spec = (request as { spec?: TokenRequestSpec }).spec ?? {}; // decoded by the schema of TokenRequest
  const expirationSeconds = spec.expirationSeconds ?? 3600;
  const audiences = (spec.audiences ?? []).length === 0 ? issuer.audiences : (spec.audiences ?? []);
  const namespace = account.metadata.namespace ?? "";
  const name = account.metadata.name;
  const givenUid = request.metadata?.uid;
  if (givenUid !== undefined && givenUid !== "" && givenUid !== account.metadata.uid) {
    const why = `the UID in the token request (${givenUid}) does not match the UID of the service account (${account.metadata.uid})`;
    throw conflict({ group: "authentication.k8s.io", plural: "TokenRequest" }, name, why);
  }
  const named = nameErrors(request.metadata?.name ?? "", name);
  if (named.length > 0) throw invalid({ group: "authentication.k8s.io", kind: "TokenRequest" }, name, named);
  const errors = expirationErrors(expirationSeconds);
  if (errors.length > 0) throw invalid({ group: "authentication.k8s.io", kind: "TokenRequest" }, "", errors);
  const bound = spec.boundObjectRef ? boundClaims(issuer.reader, account, spec.boundObjectRef) : {};

  const nowSeconds = Math.floor(issuer.clock.now() / 1000);
  const isRenewable =
    expirationSeconds === renewableSeconds &&
    bound.pod !== undefined &&
    audiences.every((each) => issuer.audiences.includes(each));
  const token = signToken(issuer.key, {
    aud: audiences,
    exp: nowSeconds + (isRenewable ? extendedSeconds : expirationSeconds),
    iat: nowSeconds,
    iss: issuer.issuer,
    jti: uuid(issuer.random),
    "kubernetes.io": {
      namespace,
      ...bound,
      serviceaccount: { name, uid: account.metadata.uid },
      ...(isRenewable ? { warnafter: nowSeconds + expirationSeconds } : {}),
    },
    nbf: nowSeconds,
    sub: serviceAccountUserName(namespace, name),
  });
  const { labels, annotations, managedFields } = request.metadata ?? {};
  return {
    kind: "TokenRequest",
    apiVersion: "authentication.k8s.io/v1",
    metadata: {
      name,
      namespace,
      uid: account.metadata.uid,
      creationTimestamp: rfc3339(nowSeconds * 1000),
      ...(labels === undefined ? {} : { labels }),
      ...(annotations === undefined ? {} : { annotations }),
      ...(managedFields === undefined ? {} : { managedFields }),
    },
    spec: { audiences, expirationSeconds, boundObjectRef: spec.boundObjectRef ?? null },
    status: { token, expirationTimestamp: rfc3339((nowSeconds + expirationSeconds) * 1000) },
  } as ApiObject; // with spec and status, which ApiObject does not name
}

const nameErrors = (given: string, name: string): readonly FieldError[] =>
  given === "" || given === name
    ? []
    : [invalidValue("metadata.name", given, "must match the service account name if specified")];

function expirationErrors(seconds: number): readonly FieldError[] {
  const field = "spec.expirationSeconds";
  if (seconds < 600) return [invalidValue(field, seconds, "may not specify a duration less than 10 minutes")];
  if (seconds > 2 ** 32) return [invalidValue(field, seconds, "may not specify a duration larger than 2^32 seconds")];
  return [];
}

interface BoundClaims {
  readonly pod?: JsonObject;
  readonly secret?: JsonObject;
  readonly node?: JsonObject;
}

function boundClaims(reader: ObjectReader, account: Stored<ApiObject>, ref: BoundObjectRef): BoundClaims {
  const [group, version] = (ref.apiVersion ?? "").includes("/") ? (ref.apiVersion ?? "").split("/") : ["", ref.apiVersion ?? ""];
  const namespace = account.metadata.namespace ?? "";
  const find = <T extends ApiObject>(type: ResourceType<T>, inNamespace: boolean): Stored<T> => {
    if (ref.name === undefined || ref.name === "") throw badRequest("Name parameter required.");
    const found = reader.get(type, inNamespace ? { namespace, name: ref.name } : { name: ref.name });
    if (found === undefined) throw notFound(type, ref.name);
    checkUid(type, ref, found.metadata);
    return found;
  };
  // Upstream looks at group and kind only, so any version of the core group will do.
  switch (group === "" ? ref.kind : "") {
    case "Pod": {
      const pod = find<Pod>(pods, true);
      const runsAs = pod.spec?.serviceAccountName ?? "";
      if (runsAs !== account.metadata.name) {
        throw badRequest(
          `cannot bind token for serviceaccount ${JSON.stringify(account.metadata.name)} to pod running with different serviceaccount name.`,
        );
      }
      return { ...nodeOf(reader, pod), pod: identity(pod) };
    }
    case "Secret":
      return { secret: identity(find(secrets, true)) };
    case "Node":
      return { node: identity(find(nodes, false)) };
    default:
      throw badRequest(`cannot bind token to object of type ${group}/${version}, Kind=${ref.kind ?? ""}`);
  }
}

const identity = (object: Stored<ApiObject>): JsonObject => ({ name: object.metadata.name, uid: object.metadata.uid });

/** A pod's token also tells the node that it runs on, when that is known. */
function nodeOf(reader: ObjectReader, pod: Stored<Pod>): BoundClaims {
  const name = pod.spec?.nodeName ?? "";
  if (name === "") return {};
  const uid = reader.get(nodes, { name })?.metadata.uid;
  return { node: uid === undefined ? { name } : { name, uid } };
}

function checkUid(type: ResourceType, ref: BoundObjectRef, metadata: ObjectMeta): void {
  if (ref.uid === undefined || ref.uid === "" || ref.uid === metadata.uid) return;
  throw mismatch(type, ref.name ?? "", ref.uid);
}

const mismatch = (type: ResourceType, name: string, uid: string): ApiError =>
  conflict(
    { group: type.group, plural: type.kind },
    name,
    `the UID in the bound object reference (${uid}) does not match the UID in record. The object might have been deleted and then recreated`,
  );
