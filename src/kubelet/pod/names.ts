// Names and labels that tie runtime objects to pods, and the texts upstream prints for pods and durations.
import type { Pod } from "#api";

export { rfc3339 as timestamp } from "#client";

/** Labels on sandboxes and containers: upstream's, so that crictl and other tools find their way. */
export const runtimeLabels = {
  podName: "io.kubernetes.pod.name",
  podNamespace: "io.kubernetes.pod.namespace",
  podUid: "io.kubernetes.pod.uid",
  containerName: "io.kubernetes.container.name",
} as const;

/** Annotations on containers: what a restarted kubelet needs to know and the pod object may no longer say. */
export const runtimeAnnotations = {
  hash: "io.kubernetes.container.hash",
  restartCount: "io.kubernetes.container.restartCount",
  terminationMessagePath: "io.kubernetes.container.terminationMessagePath",
  terminationMessagePolicy: "io.kubernetes.container.terminationMessagePolicy",
  terminationGracePeriod: "io.kubernetes.pod.terminationGracePeriod",
  /** The resources that the container was started with, as JSON: a later change is a resize. */
  resources: "tiphys.dev/resources",
  /** Where the termination message file is on the host. */
  terminationMessageFile: "tiphys.dev/termination-message-file",
} as const;

/** "web_default(6c9f...)" */
export const formatPod = (pod: Pod): string => `${pod.metadata.name}_${pod.metadata.namespace}(${pod.metadata.uid})`;

export const podKey = (pod: Pod): string => `${pod.metadata.namespace}/${pod.metadata.name}`;

/** As Go prints a duration: "10s", "1m20s", "1.5s", "350ms". */
export function goDuration(ms: number): string {
  if (ms === 0) return "0s";
  if (ms < 1000) return `${trim(ms)}ms`;
  const hours = Math.floor(ms / 3_600_000);
  const minutes = Math.floor((ms % 3_600_000) / 60_000);
  const seconds = trim((ms % 60_000) / 1000);
  if (hours > 0) return `${hours}h${minutes}m${seconds}s`;
  return minutes > 0 ? `${minutes}m${seconds}s` : `${seconds}s`;
}

const trim = (value: number): string => String(Math.round(value * 1000) / 1000);

/** "[a b]": how Go prints a list of strings. */
export const goList = (items: readonly string[]): string => `[${items.join(" ")}]`;
