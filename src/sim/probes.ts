// Network probes of simulated containers: success, unless the pod's annotations say otherwise.
import type { Clock } from "#base";
import type { NetworkProbes, ProbeOutcome, ProbeTarget } from "#kubelet";
import { annotation, failsNow } from "./program.ts";

export function simulatedProbes(clock: Clock): NetworkProbes {
  const check = (target: ProbeTarget, failure: string): ProbeOutcome => {
    const status = target.pod.status?.containerStatuses?.find(({ name }) => name === target.container);
    const startedAt = status?.state?.running?.startedAt;
    const age = startedAt === undefined ? 0 : clock.now() - Date.parse(startedAt);
    const fails = target.kind !== undefined && failsNow(annotation(target.pod, target.container, `fail-${target.kind}`), age);
    return fails ? { result: "failure", output: failure } : { result: "success", output: "" };
  };
  return {
    httpGet: async (target) => check(target, "HTTP probe failed with statuscode: 500"),
    tcp: async (target) => check(target, `dial tcp ${target.host}:${target.port}: connect: connection refused`),
    grpc: async (target) => check(target, 'service unhealthy (responded with "NOT_SERVING")'),
  };
}
