// Amounts of resources as plain numbers: processor in thousandths, everything else in whole units, all rounded up.
import { type Container, type ContainerStatus, milliValue, type Pod, type Quantity, quantityValue } from "#api";

export interface Resources {
  milliCpu: number;
  memory: number;
  ephemeralStorage: number;
  /** Extended resources and huge pages; absent when there are none. */
  extended: Map<string, number> | undefined;
}

type QuantityList = Readonly<Record<string, Quantity>>;

export const noResources = (): Resources => ({ milliCpu: 0, memory: 0, ephemeralStorage: 0, extended: undefined });

/** `pods` is left out: it is counted, not requested. */
export function parseResources(list: QuantityList | undefined): Resources {
  const resources = noResources();
  for (const name in list) setResource(resources, name, quantityOf(name, list[name] as Quantity));
  return resources;
}

export const quantityOf = (name: string, quantity: Quantity): number =>
  name === "cpu" ? milliValue(quantity) : quantityValue(quantity);

export function resourceAmount(resources: Resources, name: string): number {
  if (name === "cpu") return resources.milliCpu;
  if (name === "memory") return resources.memory;
  if (name === "ephemeral-storage") return resources.ephemeralStorage;
  return resources.extended?.get(name) ?? 0;
}

function setResource(resources: Resources, name: string, amount: number): void {
  if (name === "cpu") resources.milliCpu = amount;
  else if (name === "memory") resources.memory = amount;
  else if (name === "ephemeral-storage") resources.ephemeralStorage = amount;
  else if (name !== "pods") {
    resources.extended ??= new Map();
    resources.extended.set(name, amount);
  }
}

/** Adds `sign` times `other` to `resources` in place. */
export function addResources(resources: Resources, other: Resources, sign: 1 | -1 = 1): void {
  resources.milliCpu += sign * other.milliCpu;
  resources.memory += sign * other.memory;
  resources.ephemeralStorage += sign * other.ephemeralStorage;
  if (other.extended === undefined) return;
  for (const [name, amount] of other.extended) setResource(resources, name, resourceAmount(resources, name) + sign * amount);
}

function raiseTo(resources: Resources, other: Resources): void {
  resources.milliCpu = Math.max(resources.milliCpu, other.milliCpu);
  resources.memory = Math.max(resources.memory, other.memory);
  resources.ephemeralStorage = Math.max(resources.ephemeralStorage, other.ephemeralStorage);
  if (other.extended === undefined) return;
  for (const [name, amount] of other.extended) setResource(resources, name, Math.max(resourceAmount(resources, name), amount));
}

/** What scoring assumes of a container that requests nothing: a tenth of a core and 200 MB. */
export const defaultMilliCpu = 100;
export const defaultMemory = 200 * 1024 * 1024;

export interface PodResources {
  readonly requests: Resources;
  /** Processor and memory with the defaults for containers that request none: what scoring counts. */
  readonly scoringMilliCpu: number;
  readonly scoringMemory: number;
}

/**
 * What a pod needs at its most hungry moment: its containers together, or an init container with the sidecars started before it, whichever is more
 * (KEP-753); pod-level requests replace the sum (KEP-2837); the overhead of its runtime class comes on top (KEP-688).
 */
export function podResources(pod: Pod): PodResources {
  const requests = aggregate(pod, false);
  const scoring = aggregate(pod, true);
  return { requests, scoringMilliCpu: scoring.milliCpu, scoringMemory: scoring.memory };
}

function aggregate(pod: Pod, withDefaults: boolean): Resources {
  const podLevel = pod.spec?.resources?.requests;
  const total = noResources();
  for (const container of pod.spec?.containers ?? []) {
    addResources(
      total,
      containerRequests(container, statusOf(pod.status?.containerStatuses, container.name), withDefaults, podLevel),
    );
  }
  const initContainers = pod.spec?.initContainers ?? [];
  if (initContainers.length > 0) {
    const sidecars = noResources();
    const peak = noResources();
    for (const container of initContainers) {
      const own = containerRequests(
        container,
        statusOf(pod.status?.initContainerStatuses, container.name),
        withDefaults,
        podLevel,
      );
      if (container.restartPolicy === "Always") {
        addResources(total, own);
        addResources(sidecars, own);
        raiseTo(peak, sidecars);
      } else {
        addResources(own, sidecars);
        raiseTo(peak, own);
      }
    }
    raiseTo(total, peak);
  }
  for (const name in podLevel) setResource(total, name, quantityOf(name, podLevel[name] as Quantity));
  if (pod.spec?.overhead !== undefined) addResources(total, parseResources(pod.spec.overhead));
  return total;
}

const statusOf = (statuses: readonly ContainerStatus[] | undefined, name: string): ContainerStatus | undefined =>
  statuses?.find((status) => status.name === name);

function containerRequests(
  container: Container,
  status: ContainerStatus | undefined,
  withDefaults: boolean,
  podLevel: QuantityList | undefined,
): Resources {
  const requests = parseResources(container.resources?.requests);
  // A pod that is being resized in place counts with what it has and what it asks for, whichever is more (KEP-1287).
  if (status?.allocatedResources !== undefined) raiseTo(requests, parseResources(status.allocatedResources));
  if (status?.resources?.requests !== undefined) raiseTo(requests, parseResources(status.resources.requests));
  if (withDefaults) {
    const asked = container.resources?.requests;
    if (asked?.["cpu"] === undefined && podLevel?.["cpu"] === undefined) requests.milliCpu = defaultMilliCpu;
    if (asked?.["memory"] === undefined && podLevel?.["memory"] === undefined) requests.memory = defaultMemory;
  }
  return requests;
}
