// Carries out what a plan decides: the only place where a pod's worker touches the runtime.
import type { Pod, Quantity } from "#api";
import type { Clock } from "#base";
import type { PodCgroups } from "../cgroup/pod-cgroups.ts";
import type { KubeletOptions } from "../options.ts";
import type { NetworkProbes } from "../probe/check.ts";
import type { Runtime, SandboxConfig } from "../runtime.ts";
import type { PodVolumes } from "../volume/volumes.ts";
import { containerConfig } from "./container-config.ts";
import { type EnvironmentDeps, environmentOf } from "./environment.ts";
import { containerFieldPath, type EventSink, podReference } from "./events.ts";
import { runHook } from "./hooks.ts";
import { CannotStart, type ImageKeeper } from "./images.ts";
import { linuxResources } from "./resources.ts";
import { sandboxConfig } from "./sandbox-config.ts";
import { type AnyContainer, findContainer, isHostNetwork } from "./spec.ts";

export interface ActionDeps {
  readonly runtime: Runtime;
  readonly clock: Clock;
  readonly events: EventSink;
  readonly images: ImageKeeper;
  readonly volumes: PodVolumes;
  readonly probes: NetworkProbes;
  readonly environment: EnvironmentDeps;
  readonly options: KubeletOptions;
  readonly memoryCapacityBytes: number;
  readonly cgroups?: PodCgroups;
  readonly allocatable: () => Readonly<Record<string, Quantity>>;
  /** What the pod's RuntimeClass names; throws where there is no such class. */
  readonly runtimeHandler: (pod: Pod) => Promise<string>;
}

/** Returns the sandbox id. */
export async function createSandbox(
  pod: Pod,
  attempt: number,
  replaces: boolean,
  deps: ActionDeps,
  signal: AbortSignal,
): Promise<string> {
  if (replaces)
    deps.events.record(podReference(pod), "Normal", "SandboxChanged", "Pod sandbox changed, it will be killed and re-created.");
  try {
    const config = await configOf(pod, attempt, deps);
    await deps.cgroups?.make(pod);
    return await deps.runtime.runSandbox(config, { signal });
  } catch (error) {
    if (!signal.aborted)
      deps.events.record(
        podReference(pod),
        "Warning",
        "FailedCreatePodSandBox",
        `Failed to create pod sandbox: ${(error as Error).message}`,
      );
    throw error;
  }
}

const configOf = async (pod: Pod, attempt: number, deps: ActionDeps): Promise<SandboxConfig> =>
  sandboxConfig(pod, {
    attempt,
    options: deps.options,
    runtimeHandler: await deps.runtimeHandler(pod),
    cgroupParent: deps.cgroups?.parentOf(pod) ?? "",
  });

export interface StartOrder {
  readonly pod: Pod;
  readonly name: string;
  readonly attempt: number;
  readonly sandboxId: string;
  readonly sandboxAttempt: number;
  readonly podIps: readonly string[];
}

/** Image, configuration, create, start, postStart hook. Throws CannotStart with the waiting reason to show. */
export async function startContainer(
  order: StartOrder,
  deps: ActionDeps,
  signal: AbortSignal,
  created: () => void,
): Promise<void> {
  const { pod, name } = order;
  const container = findContainer(pod, name)?.container;
  if (container === undefined) throw new Error(`pod has no container "${name}"`);
  const about = podReference(pod, containerFieldPath(pod, name));
  try {
    const image = await deps.images.ensure(pod, container, signal);
    const config = await prepare(order, container, image, deps);
    const sandbox = await configOf(pod, order.sandboxAttempt, deps);
    const id = await orFail(
      "CreateContainerError",
      deps.runtime.createContainer(order.sandboxId, config, sandbox, { signal }),
      signal,
    );
    deps.events.record(about, "Normal", "Created", "Container created");
    await orFail("RunContainerError", deps.runtime.startContainer(id, { signal }), signal);
    deps.events.record(about, "Normal", "Started", "Container started");
    created();
    const hook = container.lifecycle?.postStart;
    if (hook !== undefined) {
      const grace = pod.spec.terminationGracePeriodSeconds ?? 30;
      const target = { pod, container, containerId: id, podIp: order.podIps[0] ?? "", timeoutMs: 24 * 3_600_000, signal };
      const failure = await runHook(hook, target, deps);
      if (failure !== undefined && !signal.aborted) {
        deps.events.record(about, "Warning", "FailedPostStartHook", `PostStartHook failed`);
        deps.events.record(about, "Normal", "Killing", "FailedPostStartHook");
        await deps.runtime.stopContainer(id, grace);
        throw new CannotStart("PostStartHookError", failure, { retryAfterMs: 0, eventMessage: "Error: PostStartHookError" });
      }
    }
  } catch (error) {
    if (error instanceof CannotStart && error.eventMessage !== undefined && !signal.aborted)
      deps.events.record(about, "Warning", "Failed", error.eventMessage);
    throw error;
  }
}

async function prepare(
  order: StartOrder,
  container: AnyContainer,
  image: Parameters<typeof containerConfig>[0]["image"],
  deps: ActionDeps,
) {
  const { pod, podIps, attempt } = order;
  const facts = {
    pod,
    podIps: isHostNetwork(pod) ? deps.options.nodeIps : podIps,
    hostIps: deps.options.nodeIps,
    allocatable: deps.allocatable(),
  };
  try {
    const environment = await environmentOf(container, facts, deps.environment);
    const { mounts, terminationMessageFile } = await deps.volumes.mountsOf(pod, container, podIps, environment);
    const resources = linuxResources(pod, container, deps.memoryCapacityBytes);
    return containerConfig({ pod, container, attempt, image, environment, mounts, resources, terminationMessageFile });
  } catch (error) {
    throw error instanceof CannotStart
      ? error
      : new CannotStart("CreateContainerConfigError", (error as Error).message, { cause: error });
  }
}

async function orFail<T>(reason: string, work: Promise<T>, signal: AbortSignal): Promise<T> {
  try {
    return await work;
  } catch (error) {
    if (signal.aborted) throw error;
    throw new CannotStart(reason, (error as Error).message, { cause: error });
  }
}

export async function preStop(
  pod: Pod,
  name: string,
  id: string,
  podIp: string,
  timeoutMs: number,
  deps: ActionDeps,
  signal: AbortSignal,
): Promise<void> {
  const container = findContainer(pod, name)?.container;
  const hook = container?.lifecycle?.preStop;
  if (container === undefined || hook === undefined) return;
  const failure = await runHook(hook, { pod, container, containerId: id, podIp, timeoutMs, signal }, deps);
  if (failure !== undefined && !signal.aborted) {
    deps.events.record(podReference(pod, containerFieldPath(pod, name)), "Warning", "FailedPreStopHook", "PreStopHook failed");
  }
}

export async function stopContainer(
  pod: Pod,
  order: { id: string; name: string; graceSeconds: number; why?: string },
  deps: ActionDeps,
  signal: AbortSignal,
): Promise<void> {
  const message = order.why ?? `Stopping container ${order.name}`;
  deps.events.record(podReference(pod, containerFieldPath(pod, order.name)), "Normal", "Killing", message);
  await deps.runtime.stopContainer(order.id, order.graceSeconds, { signal, timeoutMs: order.graceSeconds * 1000 + 120_000 });
}
