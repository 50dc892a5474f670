// Quality-of-service class of a pod.
import type { Pod } from "#api";
import { initContainers } from "./spec.ts";

export type QosClass = "Guaranteed" | "Burstable" | "BestEffort";

/** As the API server set it, else computed (static pods). */
export function qosClass(pod: Pod): QosClass {
  const given = pod.status?.qosClass;
  if (given === "Guaranteed" || given === "Burstable" || given === "BestEffort") return given;
  // what is said for the pod as a whole stands for all its containers
  const containers =
    pod.spec.resources === undefined ? [...pod.spec.containers, ...initContainers(pod)] : [{ resources: pod.spec.resources }];
  let any = false;
  let guaranteed = true;
  for (const { resources } of containers) {
    for (const name of ["cpu", "memory"]) {
      const limit = resources?.limits?.[name];
      const request = resources?.requests?.[name] ?? limit;
      if (request !== undefined || limit !== undefined) any = true;
      if (limit === undefined || String(request) !== String(limit)) guaranteed = false;
    }
  }
  return guaranteed && any ? "Guaranteed" : any ? "Burstable" : "BestEffort";
}
