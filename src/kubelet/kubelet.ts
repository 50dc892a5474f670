// The kubelet of one node: the pods' source, the fleet of workers, the Node object.
import { type Node, nodes, type Pod, pods as podResource, runtimeClasses, services as serviceResource } from "#api";
import { createInformerFactory, type Informer } from "#client";
import { hasAppArmor } from "./admit/app-armor.ts";
import { startEvictor } from "./evict/evictor.ts";
import { NodeKeeper } from "./node/node-keeper.ts";
import { allocatableOf } from "./node/node-object.ts";
import type { KubeletDeps, KubeletOptions, RunningKubelet } from "./options.ts";
import { noEvents } from "./pod/events.ts";
import { PodFleet } from "./pod/fleet.ts";
import { ImageKeeper } from "./pod/images.ts";
import { objectsThrough } from "./pod/objects.ts";
import { pullCredentials } from "./pod/pull-credentials.ts";
import { runtimeHandlerFrom } from "./pod/runtime-class.ts";
import { podLogDirectory } from "./pod/sandbox-config.ts";
import { fileSource } from "./static/file-source.ts";
import { httpSource } from "./static/http-source.ts";
import { type StaticPods, type StaticSource, startStaticPods } from "./static/static-pods.ts";
import { DiskVolumes } from "./volume/disk-volumes.ts";
import { referencesOnly } from "./volume/references-only.ts";

/** Resolves when the Node is registered and the pods of this node are known; `ready()` says when the node is Ready. */
export async function startKubelet(options: KubeletOptions, deps: KubeletDeps): Promise<RunningKubelet> {
  const { client, runtime, clock, random, log } = deps;
  const events = deps.events ?? noEvents;
  const objects = objectsThrough(client);
  const factory = createInformerFactory({ client, clock, random, log });
  const pods = factory.informer(podResource, { fieldSelector: `spec.nodeName=${options.nodeName}` });
  const services = deps.services === undefined ? factory.informer(serviceResource) : undefined;
  const classes = factory.informer(runtimeClasses);
  // pods are admitted by what the node is now: labels and extended resources are written by others
  const self = factory.informer(nodes, { fieldSelector: `metadata.name=${options.nodeName}` });
  const keeper = new NodeKeeper({
    client,
    runtime,
    clock,
    random,
    log,
    events,
    options,
    capacity: deps.capacity,
    nodeInfo: deps.nodeInfo,
  });

  const info = await runtime.info().catch(() => undefined);
  const allocatable = (): Record<string, string | number> => ({
    ...(keeper.node?.status?.allocatable ??
      allocatableOf({ cpu: deps.capacity.cpu, memory: deps.capacity.memoryBytes }, options)),
  });
  const volumes =
    deps.files === undefined
      ? referencesOnly(objects)
      : new DiskVolumes({
          client,
          files: deps.files,
          processes: deps.processes,
          clock,
          log,
          random,
          options,
          objects,
          allocatable,
        });
  const fleet = new PodFleet({
    client,
    runtime,
    clock,
    log,
    events,
    volumes,
    options,
    images: new ImageKeeper({ runtime, clock, events, credentials: pullCredentials(objects) }),
    probes: deps.probes,
    environment: { objects, services: deps.services ?? (() => services?.list() ?? []) },
    memoryCapacityBytes: deps.capacity.memoryBytes,
    cgroups: deps.cgroups,
    allocatable,
    runtimeHandler: runtimeHandlerFrom(classes),
    node: {
      runtimeName: info?.name ?? "containerd",
      hostIps: options.nodeIps,
      keepTerminalSandbox: options.keepTerminalSandbox ?? false,
    },
    nodeObject: () => self.get(options.nodeName) ?? keeper.node,
    // where there is no host either, as on a simulated node, nothing is missing
    host: { hasAppArmor: deps.files === undefined || (await hasAppArmor(deps.files)) },
    runtimeLost: () => void keeper.refresh(),
    relistMs: options.relistMs ?? 60_000,
  });

  let staticPods: StaticPods | undefined;
  let isStopped = false;
  let evictor: AsyncDisposable | undefined;
  let isSynced = false;
  /** Of pods that are gone: once every pod is known. */
  const removeLeftovers = async (): Promise<void> => {
    if (isStopped) return;
    fleet.removeOrphans();
    try {
      await deps.cgroups?.keepOnly([...fleet.workers.values()].map((worker) => worker.pod));
    } catch (error) {
      log.warn("cannot remove control groups of pods that are gone", { error: (error as Error).message });
    }
    if (volumes instanceof DiskVolumes) void volumes.removeLeftovers(new Set(fleet.workers.keys()));
  };
  const start = async (): Promise<void> => {
    await fleet.adopt();
    fleet.start();
    const sources = staticSources(options, deps);
    if (sources.length > 0) {
      staticPods = startStaticPods(sources, { client, clock, log, fleet, node: () => keeper.node, isSynced: () => isSynced });
      if (options.staticPodUrl === undefined) await staticPods.seen;
    }
    factory.start();
    if (options.registerNode !== false) await keeper.start();
    await factory.synced();
    feed(pods, fleet);
    if (staticPods === undefined || options.staticPodUrl === undefined) await removeLeftovers();
    else void staticPods.seen.then(removeLeftovers); // what runs may be a pod of the URL, which need not answer now
    if (volumes instanceof DiskVolumes) {
      volumes.start(() => fleet.workers);
      if (deps.processes !== undefined)
        evictor = startEvictor({
          clock,
          log,
          processes: deps.processes,
          runtime,
          workers: () => fleet.workers.values(),
          volumePaths: (pod) => volumes.paths(pod),
          logDirectory: (pod) => podLogDirectory(pod, options),
        });
    }
    isSynced = true;
  };

  const running: RunningKubelet = {
    nodeName: options.nodeName,
    ready: () =>
      isSynced ? (options.registerNode === false ? undefined : keeper.missing) : "the pods of this node are not known yet",
    pods: () =>
      [...fleet.workers.values()]
        .filter((worker) => worker.pod.spec.containers.length > 0)
        .map((worker) => shown(worker.pod, worker.status)),
    findPod: (namespace, name) => {
      const worker = fleet.find(namespace, name);
      return worker === undefined ? undefined : shown(worker.pod, worker.status);
    },
    node: (): Node | undefined => keeper.node,
    [Symbol.asyncDispose]: async () => {
      isStopped = true;
      await evictor?.[Symbol.asyncDispose]();
      await staticPods?.[Symbol.asyncDispose]();
      await factory[Symbol.asyncDispose]();
      await keeper[Symbol.asyncDispose]();
      if (volumes instanceof DiskVolumes) await volumes[Symbol.asyncDispose]();
      await fleet[Symbol.asyncDispose]();
    },
  };
  try {
    await start();
  } catch (error) {
    await running[Symbol.asyncDispose]();
    throw error;
  }
  return running;
}

function staticSources(options: KubeletOptions, deps: KubeletDeps): readonly StaticSource[] {
  const { files, fetchManifest, clock, log } = deps;
  const { staticPodDirectory, staticPodUrl, nodeName } = options;
  const sources: StaticSource[] = [];
  if (staticPodDirectory !== undefined && files !== undefined)
    sources.push(fileSource(staticPodDirectory, { files, clock, log, nodeName }));
  if (staticPodUrl !== undefined && fetchManifest !== undefined)
    sources.push(httpSource(staticPodUrl, { fetch: fetchManifest, clock, log, nodeName }));
  return sources;
}

const shown = (pod: Pod, status: Pod["status"]): Pod => (status === undefined ? pod : { ...pod, status });

/** From an informer to a fleet. A pod that was replaced by one of the same name is two changes. */
export function feed(pods: Informer<Pod>, fleet: Pick<PodFleet, "set" | "remove">): Disposable {
  return pods.addHandler({
    added: (pod) => fleet.set(pod),
    updated: (pod, before) => {
      if (pod.metadata.uid !== before.metadata.uid) fleet.remove(before);
      fleet.set(pod);
    },
    deleted: (pod) => fleet.remove(pod),
  });
}
