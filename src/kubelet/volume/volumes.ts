// Volumes of pods as the workers see them; on disk in disk-volumes.ts.
import type { Pod } from "#api";
import type { AnyContainer } from "../pod/spec.ts";
import type { Mount } from "../runtime.ts";

/** A volume that cannot be set up: the text of the FailedMount event. */
export class CannotMount extends Error {}

export interface PodVolumes {
  /** Sets up every volume of the pod; harmless when done already. Throws CannotMount. */
  mount(pod: Pod, signal: AbortSignal): Promise<void>;
  /** Takes them down and removes the pod's directory; harmless when there is nothing. */
  unmount(pod: Pod): Promise<void>;
  /** Volume mounts, /etc/hosts and the termination message file of one container. Throws CannotStart. */
  mountsOf(
    pod: Pod,
    container: AnyContainer,
    podIps: readonly string[],
    environment: ReadonlyMap<string, string>,
  ): Promise<{ readonly mounts: readonly Mount[]; readonly terminationMessageFile: string | undefined }>;
  /** Removes the logs of a pod that is gone for good. */
  removeLogs(pod: Pod): Promise<void>;
  /** The last lines of a container's log file (at most 80, 2048 bytes), for terminationMessagePolicy FallbackToLogsOnError. */
  logTail(file: string): Promise<string>;
  /** What a container wrote to its termination message file, at most 4096 bytes; "" when nothing. */
  terminationMessage(file: string): Promise<string>;
}
