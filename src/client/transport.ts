// How requests reach an API server: over HTTPS, or by a function call in the same process (D2).
import type { Status } from "#api";

/** Who asks. In process it is given; over HTTPS it follows from the credentials. */
export interface UserInfo {
  readonly name: string;
  readonly uid?: string;
  readonly groups: readonly string[];
  readonly extra?: Readonly<Record<string, readonly string[]>>;
}

export type HttpMethod = "GET" | "POST" | "PUT" | "PATCH" | "DELETE" | "HEAD" | "OPTIONS";

/** A request with an already parsed body. Bodies are shared between both sides: nobody changes them. */
export interface ApiRequest {
  readonly method: HttpMethod;
  /** "/api/v1/namespaces/default/pods" */
  readonly path: string;
  readonly query: Readonly<Record<string, string>>;
  /** Of a PATCH: which kind of patch the body is. */
  readonly contentType?: string;
  readonly body?: unknown;
  /** Media types to ask for instead of plain JSON (tables, aggregated discovery); JSON all of them. Over HTTPS only. */
  readonly accept?: string;
  readonly signal?: AbortSignal;
}

export interface WatchFrame {
  readonly type: "ADDED" | "MODIFIED" | "DELETED" | "BOOKMARK" | "ERROR";
  readonly object: unknown;
}

/** `object` is the parsed answer (a Status from 400 on); `frames` is a watch that has begun. */
export type ApiReply =
  | { readonly code: number; readonly object: unknown; readonly warnings?: readonly string[] }
  | { readonly code: 200; readonly frames: AsyncIterable<WatchFrame> };

export interface Transport extends AsyncDisposable {
  send(request: ApiRequest): Promise<ApiReply>;
}

/** The API server's door for callers in the same process: the whole chain (authorization, admission, audit) without bytes. */
export type Handle = (request: ApiRequest & { readonly user: UserInfo; readonly userAgent: string }) => Promise<ApiReply>;

export const isStatus = (object: unknown): object is Status => (object as Status | undefined)?.kind === "Status";
