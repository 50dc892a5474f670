// The seams inside the API server: the chain asks these, in this order (authentication, audit, authorization, admission, registry).
import type { ApiObject, ResourceType, Stored } from "#api";
import type { ObjectRef, UserInfo } from "#client";

/** What a request is about, read from its method, path and query (apiserver/request-info.ts). */
export interface RequestInfo {
  /** "get", "list", "watch", "create", "update", "patch", "delete", "deletecollection"; for non-resource paths the HTTP method in lower case. */
  readonly verb: string;
  readonly path: string;
  readonly isResource: boolean;
  readonly group: string;
  readonly version: string;
  /** Plural. "" for non-resource requests. */
  readonly resource: string;
  readonly subresource: string;
  readonly namespace: string;
  /** "" for collections; for list, watch and deletecollection the name of a `metadata.name=x` field selector. */
  readonly name: string;
}

/** What came with the connection and the headers. */
export interface Credentials {
  /** Verified client certificate: subject's CN, O and the certificate's DER. */
  readonly certificate?: { readonly commonName: string; readonly organizations: readonly string[]; readonly der: Buffer };
  /** The Authorization header as it came. */
  readonly authorization?: string;
  /** Token of the WebSocket subprotocol base64url.bearer.authorization.k8s.io.<token>, decoded. */
  readonly webSocketToken?: string;
  /** Impersonate-User, -Uid, -Group, -Extra-*. */
  readonly impersonate?: UserInfo;
}

export interface Authenticator {
  /** Undefined: no credentials were given (anonymous). Throws Unauthorized for bad ones. */
  authenticate(credentials: Credentials): UserInfo | undefined | Promise<UserInfo | undefined>;
}

export interface Decision {
  readonly allowed: boolean;
  /** Why, for audit and for the message of a refusal; may be "". */
  readonly reason: string;
}

export interface Authorizer {
  authorize(user: UserInfo, request: RequestInfo): Decision | Promise<Decision>;
}

export interface AdmissionContext {
  readonly operation: "CREATE" | "UPDATE" | "DELETE" | "CONNECT";
  readonly type: ResourceType;
  readonly subresource: string;
  readonly namespace: string;
  readonly name: string;
  readonly user: UserInfo;
  readonly dryRun: boolean;
  /** The stored object of an UPDATE or DELETE. */
  readonly old?: Stored<ApiObject>;
  /** Adds a Warning header to the answer. */
  warn(message: string): void;
}

/** One admission plugin. Refusals are thrown as ApiError (upstream's text); objects are never changed in place. */
export interface AdmissionPlugin {
  /** Upstream's name: "NamespaceLifecycle". */
  readonly name: string;
  /** Returns the object, changed or not. Runs before defaults are validated. */
  mutate?(object: ApiObject, context: AdmissionContext): ApiObject | Promise<ApiObject>;
  validate?(object: ApiObject | undefined, context: AdmissionContext): void | Promise<void>;
}

/** Reads objects of the server's own watch caches, parsed and shared (never change them), without authorization: for authorizers, admission, allocators. */
export interface ObjectReader {
  get<T extends ApiObject>(type: ResourceType<T>, ref: ObjectRef): Stored<T> | undefined;
  list<T extends ApiObject>(type: ResourceType<T>, namespace?: string): readonly Stored<T>[];
  /** Called synchronously after each durable change of the resource. */
  onChange(type: ResourceType, changed: (object: Stored<ApiObject>, event: "ADDED" | "MODIFIED" | "DELETED") => void): Disposable;
}

/** A node in this process: it answers what a kubelet's server would over HTTPS. It cannot change protocols (exec, attach, port-forward). */
export interface LocalNode {
  answer(request: { readonly method: string; readonly path: string; readonly signal: AbortSignal }): Promise<{
    readonly code: number;
    readonly headers: Readonly<Record<string, string>>;
    readonly body: AsyncIterable<Buffer>;
  }>;
}

export interface AuditEvent {
  readonly auditID: string;
  readonly stage: "RequestReceived" | "ResponseStarted" | "ResponseComplete" | "Panic";
  readonly requestURI: string;
  readonly request: RequestInfo;
  readonly user: UserInfo;
  readonly impersonatedUser?: UserInfo | undefined;
  readonly sourceIPs: readonly string[];
  readonly userAgent: string;
  readonly code?: number | undefined;
  readonly decision?: Decision | undefined;
  readonly receivedAtMs: number;
  readonly atMs: number;
  readonly objectName?: string | undefined;
  readonly resourceVersion?: string | undefined;
  readonly uid?: string | undefined;
}

export interface AuditSink extends AsyncDisposable {
  record(event: AuditEvent): void;
}

/**
 * Writes without authentication, authorization, admission and validation, but through the registry (uid, generation, resourceVersion, watch events):
 * bootstrap objects, quota usage, allocated addresses.
 */
export interface ObjectWriter {
  /** Creates those that are absent, in as few transactions as possible; the others stay as they are. Strategies' defaults are applied. */
  createMissing(items: readonly { readonly type: ResourceType; readonly object: ApiObject }[]): Promise<void>;
  /** Throws AlreadyExists. */
  create<T extends ApiObject>(type: ResourceType<T>, object: T): Promise<Stored<T>>;
  /** Gives `change` the latest object and writes the result with compare-and-set, again until it holds; undefined leaves it. Writes every field, status included. Throws NotFound. */
  update<T extends ApiObject>(
    type: ResourceType<T>,
    ref: ObjectRef,
    change: (current: Stored<T>) => T | undefined,
  ): Promise<Stored<T>>;
  /** Removes at once (no grace, no finalizers); harmless when absent. */
  remove(type: ResourceType, ref: ObjectRef): Promise<void>;
}
