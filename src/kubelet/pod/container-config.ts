// What the runtime is told about a container.
import type { Pod } from "#api";
import type { ContainerConfig, Image, LinuxResources, Mount } from "../runtime.ts";
import { expand } from "./expand.ts";
import { runtimeAnnotations, runtimeLabels } from "./names.ts";
import { resourcesText } from "./resize.ts";
import { containerHash } from "./restart.ts";
import { securityOf } from "./security.ts";
import type { AnyContainer } from "./spec.ts";

export interface ContainerFacts {
  readonly pod: Pod;
  readonly container: AnyContainer;
  readonly attempt: number;
  readonly image: Image;
  readonly environment: ReadonlyMap<string, string>;
  readonly mounts: readonly Mount[];
  readonly resources: LinuxResources;
  /** Where the termination message ends up on the host; undefined on a node without files. */
  readonly terminationMessageFile: string | undefined;
}

export function containerConfig({
  pod,
  container,
  attempt,
  image,
  environment,
  mounts,
  resources,
  terminationMessageFile,
}: ContainerFacts): ContainerConfig {
  const expanded = (list: readonly string[] | undefined): readonly string[] =>
    (list ?? []).map((text) => expand(text, (name) => environment.get(name)));
  const grace = pod.metadata.deletionGracePeriodSeconds ?? pod.spec.terminationGracePeriodSeconds;
  return {
    name: container.name,
    attempt,
    imageId: image.id,
    image: container.image ?? "",
    command: expanded(container.command),
    args: expanded(container.args),
    workingDirectory: container.workingDir ?? "",
    env: [...environment].map(([name, value]) => ({ name, value })),
    mounts,
    labels: {
      [runtimeLabels.containerName]: container.name,
      [runtimeLabels.podName]: pod.metadata.name ?? "",
      [runtimeLabels.podNamespace]: pod.metadata.namespace ?? "",
      [runtimeLabels.podUid]: pod.metadata.uid ?? "",
    },
    annotations: {
      [runtimeAnnotations.hash]: containerHash(container),
      [runtimeAnnotations.restartCount]: String(attempt),
      [runtimeAnnotations.resources]: resourcesText(container),
      [runtimeAnnotations.terminationMessagePath]: container.terminationMessagePath ?? "/dev/termination-log",
      [runtimeAnnotations.terminationMessagePolicy]: container.terminationMessagePolicy ?? "File",
      ...(grace === undefined ? {} : { [runtimeAnnotations.terminationGracePeriod]: String(grace) }),
      ...(terminationMessageFile === undefined ? {} : { [runtimeAnnotations.terminationMessageFile]: terminationMessageFile }),
    },
    logPath: `${container.name}/${attempt}.log`,
    stdin: container.stdin === true,
    stdinOnce: container.stdinOnce === true,
    tty: container.tty === true,
    resources,
    security: securityOf(pod, container, image),
  };
}
