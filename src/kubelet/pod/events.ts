// Events that users see in `kubectl describe`: what the kubelet hands to the recorder.
import type { ObjectReference, Pod } from "#api";

export interface EventSink {
  /** Never throws and never waits: an event that cannot be written is dropped. */
  record(about: ObjectReference, type: "Normal" | "Warning", reason: string, message: string): void;
}

export const noEvents: EventSink = { record: () => {} };

/** The reference of a pod, or of one of its containers ("spec.containers{app}"). */
export const podReference = (pod: Pod, fieldPath?: string): ObjectReference => ({
  apiVersion: "v1",
  kind: "Pod",
  namespace: pod.metadata.namespace,
  name: pod.metadata.name,
  uid: pod.metadata.uid,
  ...(pod.metadata.resourceVersion === undefined ? {} : { resourceVersion: pod.metadata.resourceVersion }),
  ...(fieldPath === undefined ? {} : { fieldPath }),
});

export function containerFieldPath(pod: Pod, name: string): string {
  if (pod.spec.initContainers?.some((container) => container.name === name)) return `spec.initContainers{${name}}`;
  if (pod.spec.ephemeralContainers?.some((container) => container.name === name)) return `spec.ephemeralContainers{${name}}`;
  return `spec.containers{${name}}`;
}
