// The whole of the API server's security as one object: what the request chain asks, in the order in which it asks.
import type { ApiError, ApiObject, ResourceType, Stored } from "#api";
import type { Clock, Log, Random } from "#base";
import type { UserInfo } from "#client";
import type {
  AdmissionContext,
  AdmissionPlugin,
  Authenticator,
  Authorizer,
  Decision,
  ObjectReader,
  ObjectWriter,
  RequestInfo,
} from "../contract.ts";
import { admissionPlugins } from "./admission/plugins.ts";
import { createWebhookDialer, type WebhookDialer } from "./admission/webhooks/dialer.ts";
import { type Allocation, ServiceAllocator } from "./allocation/services.ts";
import { anonymousUser, createAuthenticator, type TokenAuthenticators } from "./authentication/authenticator.ts";
import { bootstrapTokens } from "./authentication/bootstrap-tokens.ts";
import { Impersonation } from "./authentication/impersonation.ts";
import { tokenKey, webKey } from "./authentication/jwt.ts";
import { reviewSelf, reviewToken } from "./authentication/reviews.ts";
import { ServiceAccountTokens } from "./authentication/service-account-tokens.ts";
import { parseStaticTokens } from "./authentication/static-tokens.ts";
import { requestToken } from "./authentication/token-request.ts";
import { alwaysAllow, alwaysDeny, firstOf, mastersAuthorizer } from "./authorization/authorizer.ts";
import { checkEscalation } from "./authorization/escalation.ts";
import { NodeAuthorizer } from "./authorization/node.ts";
import { RbacAuthorizer } from "./authorization/rbac.ts";
import { refusal } from "./authorization/refusal.ts";
import { reviewAccess, reviewRules } from "./authorization/reviews.ts";
import { bootstrap } from "./bootstrap/bootstrap.ts";
import { type Advertised, publishMasterService } from "./bootstrap/master-service.ts";
import { followFlowSchemas } from "./dangling-schemas.ts";

export interface SecurityOptions {
  readonly reader: ObjectReader;
  readonly writer: ObjectWriter;
  readonly clock: Clock;
  readonly random: Random;
  readonly log?: Log;
  /** Signs and checks service account tokens (PEM; RSA). */
  readonly serviceAccountKey: { readonly privateKey: string; readonly publicKey: string };
  /** "https://kubernetes.default.svc" unless told. */
  readonly issuer?: string;
  /** Audiences of tokens for this server; the issuer unless told. */
  readonly audiences?: readonly string[];
  /** Text of a static token file: lines of `token,user,uid,"group1,group2"`. */
  readonly staticTokens?: string;
  /** Let nodes in by bootstrap tokens (secrets of kube-system); off unless told, as upstream. */
  readonly bootstrapTokens?: boolean;
  /** Requests without credentials are `system:anonymous` (default) or refused. */
  readonly anonymous?: boolean;
  /** Authorizers in order; ["Node", "RBAC"] unless told. */
  readonly authorizationModes?: readonly ("Node" | "RBAC" | "AlwaysAllow" | "AlwaysDeny")[];
  /** As upstream's --enable-admission-plugins and --disable-admission-plugins. NodeRestriction is on only when enabled here. */
  readonly enableAdmission?: readonly string[];
  readonly disableAdmission?: readonly string[];
  /** How admission webhooks are called; over HTTPS unless told. */
  readonly webhooks?: WebhookDialer;
  /** CIDRs of service addresses, the first one is the default family: ["10.96.0.0/16"]. */
  readonly serviceRanges: readonly string[];
  /** Inclusive; [30000, 32767] unless told. */
  readonly nodePorts?: readonly [number, number];
  /** Content of the cluster's ca.crt, for the configmap extension-apiserver-authentication. */
  readonly clientCa?: string;
}

export interface Security extends Disposable {
  readonly authenticator: Authenticator;
  /** The user for requests without credentials; undefined when these are refused (answer Unauthorized). */
  readonly anonymousUser: UserInfo | undefined;
  /** Whom the caller becomes with its Impersonate- headers. Throws Forbidden, or BadRequest for headers without a user. */
  impersonate(user: UserInfo, wanted: UserInfo, request: RequestInfo): Promise<UserInfo>;
  readonly authorizer: Authorizer;
  /** The Forbidden answer to a request that the authorizer did not allow. */
  refusal(user: UserInfo, request: RequestInfo, decision?: Decision): ApiError;
  /** In upstream's order. Run all `mutate`, then `beforeWrite`, then the registry's validation, then all `validate`. */
  readonly admission: readonly AdmissionPlugin[];
  /** Escalation checks of roles and bindings (on every write of them, before validation) and of certificate requests. Throws Forbidden. */
  beforeWrite(object: ApiObject, context: AdmissionContext): void | Promise<void>;
  /** Answers a POST of TokenReview, SelfSubjectReview, SubjectAccessReview and family; undefined for any other type. Validation errors are thrown. */
  review(type: ResourceType, object: ApiObject, user: UserInfo, namespace: string): Promise<ApiObject> | undefined;
  /** Answers POST serviceaccounts/NAME/token: `object` is the decoded TokenRequest. */
  requestToken(serviceAccount: Stored<ApiObject>, object: ApiObject): Promise<ApiObject>;
  /** Bodies of /.well-known/openid-configuration and /openid/v1/jwks. `server` is the address that the document names. */
  openidConfiguration(server: string): object;
  openidKeys(): object;
  /** Addresses and ports of a Service about to be created or updated (`old`): after mutating admission, before validation. */
  allocateService(service: ApiObject, old: ApiObject | undefined, dryRun: boolean): Promise<Allocation>;
  /** Gives back the addresses of a Service that has been deleted: await it before the answer, so that the address is free when the client knows. */
  releaseService(service: ApiObject): Promise<void>;
  /** Creates and reconciles what every cluster has (namespaces, roles, bindings, priority classes, ...). Idempotent. */
  bootstrap(): Promise<void>;
  /** Creates or corrects the Service `default/kubernetes` and its endpoints, once this server listens. */
  publish(advertised: Advertised): Promise<void>;
}

export const defaultIssuer = "https://kubernetes.default.svc";

/** Opens nothing and keeps nothing but caches; dispose of it to stop listening to the reader. */
export function createSecurity(options: SecurityOptions): Security {
  const { reader, writer, clock, random } = options;
  const issuer = options.issuer ?? defaultIssuer;
  const audiences = options.audiences ?? [issuer];
  const key = tokenKey(options.serviceAccountKey);
  const tokens: TokenAuthenticators = {
    staticTokens: parseStaticTokens(options.staticTokens ?? ""),
    serviceAccounts: new ServiceAccountTokens({ reader, clock, keys: [key], issuer, audiences }),
    bootstrapTokens: options.bootstrapTokens === true ? bootstrapTokens(reader, clock) : undefined,
    audiences,
  };
  const modes = options.authorizationModes ?? ["Node", "RBAC"];
  const rbac = new RbacAuthorizer(reader);
  const node = modes.includes("Node") ? new NodeAuthorizer(reader) : undefined;
  const byMode = { Node: node ?? alwaysDeny, RBAC: rbac, AlwaysAllow: alwaysAllow, AlwaysDeny: alwaysDeny };
  const authorizer = firstOf([mastersAuthorizer, ...modes.map((mode) => byMode[mode])]);
  const impersonation = new Impersonation(authorizer);
  const webhooks = options.webhooks ?? createWebhookDialer();
  const admission = admissionPlugins({
    reader,
    writer,
    clock,
    random,
    authorizer,
    log: options.log,
    webhooks,
    enable: options.enableAdmission,
    disable: options.disableAdmission,
  });
  const services = new ServiceAllocator({
    reader,
    writer,
    random,
    ranges: options.serviceRanges,
    nodePorts: options.nodePorts ?? [30000, 32767],
  });
  let flowSchemas: Disposable | undefined;
  return {
    authenticator: createAuthenticator(tokens),
    anonymousUser: options.anonymous === false ? undefined : anonymousUser,
    impersonate: (user, wanted, request) => impersonation.become(user, wanted, request),
    authorizer,
    refusal,
    admission: admission.plugins,
    beforeWrite: (object, context) =>
      context.type.group === "rbac.authorization.k8s.io" && modes.includes("RBAC")
        ? checkEscalation(rbac, authorizer, object, context)
        : undefined,
    review: (type, object, user, namespace) => {
      switch (type.kind) {
        case "TokenReview":
          return Promise.resolve().then(() => reviewToken(tokens, object));
        case "SelfSubjectReview":
          return Promise.resolve(reviewSelf(clock, user));
        case "SubjectAccessReview":
        case "LocalSubjectAccessReview":
        case "SelfSubjectAccessReview":
          return reviewAccess(type.kind, authorizer, object, user, namespace);
        case "SelfSubjectRulesReview":
          return Promise.resolve().then(() =>
            reviewRules(modes.includes("RBAC") ? rbac : undefined, object, user, modes.includes("Node")),
          );
        default:
          return undefined;
      }
    },
    requestToken: async (account, object) => requestToken({ reader, clock, random, key, issuer, audiences }, account, object),
    openidConfiguration: (server) => ({
      issuer,
      jwks_uri: `${server}/openid/v1/jwks`,
      response_types_supported: ["id_token"],
      subject_types_supported: ["public"],
      id_token_signing_alg_values_supported: ["RS256"],
    }),
    openidKeys: () => ({ keys: [webKey(key)] }),
    allocateService: (service, old, dryRun) => services.allocate(service, old, dryRun),
    releaseService: (service) => services.released(service),
    bootstrap: async () => {
      await bootstrap({ reader, writer, clock, clientCa: options.clientCa, serviceRanges: options.serviceRanges });
      await services.repair();
      flowSchemas ??= followFlowSchemas({ reader, writer, clock, log: options.log });
    },
    publish: (advertised) => publishMasterService({ reader, writer, ranges: options.serviceRanges }, advertised),
    [Symbol.dispose]: () => {
      for (const part of [rbac, node, services, admission, webhooks, flowSchemas]) part?.[Symbol.dispose]();
    },
  };
}
