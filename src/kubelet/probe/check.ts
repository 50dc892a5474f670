// What a probe or an HTTP hook asks of the network; the real one is network.ts, a simulated node has its own.
import type { Pod } from "#api";

export interface ProbeOutcome {
  /** "unknown": the check itself could not be made; it changes nothing. */
  readonly result: "success" | "failure" | "unknown";
  /** What the Unhealthy event shows. */
  readonly output: string;
}

export interface ProbeTarget {
  /** What asks; a simulated node answers by it. */
  readonly kind?: "startup" | "liveness" | "readiness" | "hook";
  readonly pod: Pod;
  readonly container: string;
  readonly containerId: string;
  readonly host: string;
  readonly port: number;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

export interface HttpTarget extends ProbeTarget {
  readonly scheme: "http" | "https";
  /** With its query. */
  readonly path: string;
  readonly headers: readonly { readonly name: string; readonly value: string }[];
}

/** None of these throws: trouble is an outcome. */
export interface NetworkProbes {
  /** 200 to 399 is success. Redirects to the same host are followed, others count as success. Certificates are not checked. */
  httpGet(target: HttpTarget): Promise<ProbeOutcome>;
  tcp(target: ProbeTarget): Promise<ProbeOutcome>;
  /** grpc.health.v1; `service` may be empty. */
  grpc(target: ProbeTarget & { readonly service: string }): Promise<ProbeOutcome>;
}
