// Faults as an API: what a test can do to the requests of a cluster's components.

import { apiError } from "#api";
import { type Clock, type Random, sleep } from "#base";
import type { ApiRequest, Transport } from "#client";

export interface FaultRule {
  /** User agent of the component: "kube-scheduler", "kubelet", "replicaset-controller", ...; absent: all. */
  readonly component?: string;
  readonly matches?: (request: ApiRequest) => boolean;
  /** 0..1, default 1: drawn per request from the cluster's seeded randomness. */
  readonly probability?: number;
  /** "unavailable": refused with 503 before it reached the server. "unknown-outcome": carried out, but answered 504. A number: delayed by so many milliseconds. */
  readonly effect: "unavailable" | "unknown-outcome" | { readonly delayMs: number };
}

/** Rules apply in the order in which they were added; disposal takes one away. */
export interface Faults {
  add(rule: FaultRule): Disposable;
  clear(): void;
}

export interface FaultInjector extends Faults {
  wrap(transport: Transport, component: string): Transport;
}

export function createFaults(deps: { clock: Clock; random: Random }): FaultInjector {
  const rules = new Set<FaultRule>();
  const choose = (component: string, request: ApiRequest): FaultRule | undefined => {
    for (const rule of rules) {
      if (rule.component !== undefined && rule.component !== component) continue;
      if (rule.matches !== undefined && !rule.matches(request)) continue;
      if (rule.probability === undefined || deps.random.float() < rule.probability) return rule;
    }
    return undefined;
  };
  return {
    add: (rule) => {
      rules.add(rule);
      return { [Symbol.dispose]: () => void rules.delete(rule) };
    },
    clear: () => rules.clear(),
    wrap: (transport, component) => ({
      send: async (request) => {
        const rule = choose(component, request);
        if (rule === undefined) return transport.send(request);
        if (rule.effect === "unavailable")
          throw apiError("ServiceUnavailable", "the server is currently unable to handle the request (injected fault)");
        if (rule.effect === "unknown-outcome") {
          await transport.send(request);
          throw apiError("Timeout", "the request may or may not have been carried out (injected fault)");
        }
        await sleep(deps.clock, rule.effect.delayMs, request.signal);
        return transport.send(request);
      },
      [Symbol.asyncDispose]: () => transport[Symbol.asyncDispose](),
    }),
  };
}
