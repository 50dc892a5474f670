// What the kubelet's server asks of a node, answered from its kubelet and its runtime.
import type { Pod } from "#api";
import type { RunningKubelet } from "../options.ts";
import type { ContainerStatus, Runtime } from "../runtime.ts";
import type { ContainerHandle, ServerBackend } from "./server.ts";

/** `onPodChange` calls back when a container of the pod may have changed state: followers of logs look again. */
export function serverBackend(
  kubelet: Pick<RunningKubelet, "pods" | "findPod">,
  runtime: Runtime,
  onPodChange: (podUid: string, listener: () => void) => Disposable,
): ServerBackend {
  return {
    runtime,
    pods: () => kubelet.pods(),
    findPod: (namespace, name) => kubelet.findPod(namespace, name),
    findContainer: async (pod, container, previous): Promise<ContainerHandle | undefined> => {
      const attempts = await attemptsOf(runtime, pod, container);
      const chosen = attempts[previous ? 1 : 0];
      if (chosen === undefined) return previous ? undefined : notYet(pod, container);
      return {
        containerId: chosen.state === "running" ? chosen.id : undefined,
        log: {
          path: chosen.logPath,
          running: async () => (await runtime.containerStatus(chosen.id))?.state === "running",
          onChange: (listener) => onPodChange(pod.metadata.uid ?? "", listener),
        },
      };
    },
    findSandbox: async (pod) => {
      const sandboxes = await runtime.listSandboxes();
      return sandboxes.find((sandbox) => sandbox.podUid === pod.metadata.uid && sandbox.ready)?.id;
    },
  };
}

/** The containers of this name that were started, newest first. */
export async function attemptsOf(runtime: Runtime, pod: Pod, container: string): Promise<readonly ContainerStatus[]> {
  const all = await runtime.listContainers(pod.metadata.uid);
  return all
    .filter((status) => status.name === container && status.state !== "created")
    .sort((a, b) => b.createdAtMs - a.createdAtMs);
}

/** A container of the spec that has not started has an empty log, not an error. */
function notYet(pod: Pod, container: string): ContainerHandle | undefined {
  const known = [...pod.spec.containers, ...(pod.spec.initContainers ?? []), ...(pod.spec.ephemeralContainers ?? [])].some(
    ({ name }) => name === container,
  );
  return known ? { containerId: undefined, log: undefined } : undefined;
}
