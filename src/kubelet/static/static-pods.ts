// Static pods: files of a directory run as pods without the API, which shows them as mirror pods.
import { createHash } from "node:crypto";
import { type Container, decodeJsonOrYaml, isAlreadyExists, isConflict, isNotFound, type Node, type Pod, pods } from "#api";
import { type Clock, every, type Files, type Log } from "#base";
import { type Client, rfc3339 } from "#client";
import type { PodFleet } from "../pod/fleet.ts";
import { statThrough } from "../volume/safe-path.ts";

export interface StaticPodDeps {
  readonly client: Client;
  readonly clock: Clock;
  readonly log: Log;
  readonly files: Files;
  readonly fleet: PodFleet;
  readonly nodeName: string;
  readonly node: () => Node | undefined;
  /** The mirror pods of this node are known. */
  readonly isSynced: () => boolean;
}

interface Manifest {
  readonly mtimeMs: number;
  readonly size: number;
  /** Undefined where the file is no pod. */
  readonly pod: Pod | undefined;
}

const lookMs = 1000;

/** Resolves after the first look at the directory. */
export async function startStaticPods(directory: string, deps: StaticPodDeps): Promise<AsyncDisposable> {
  const manifests = new Map<string, Manifest>();
  let busy: Promise<void> | undefined;
  const look = (): Promise<void> => {
    busy ??= (async () => {
      await readManifests(directory, manifests, deps);
      follow(manifests, deps);
      if (deps.isSynced()) await syncMirrors(manifests, deps);
    })()
      .catch((error: unknown) => deps.log.warn("cannot look after static pods", { directory, error: (error as Error).message }))
      .finally(() => {
        busy = undefined;
      });
    return busy;
  };
  await look();
  const timer = every(deps.clock, lookMs, look);
  return {
    [Symbol.asyncDispose]: async () => {
      timer.cancel();
      await busy;
    },
  };
}

async function readManifests(directory: string, manifests: Map<string, Manifest>, deps: StaticPodDeps): Promise<void> {
  const { files, log } = deps;
  const names =
    (await files.stat(directory)) === undefined ? [] : (await files.list(directory)).filter((name) => !name.startsWith("."));
  for (const name of manifests.keys()) if (!names.includes(name)) manifests.delete(name);
  for (const name of names) {
    const path = `${directory}/${name}`;
    const found = await statThrough(path, files);
    const known = manifests.get(name);
    if (found?.kind !== "file") continue;
    if (known !== undefined && known.mtimeMs === found.mtimeMs && known.size === found.size) continue;
    let pod: Pod | undefined;
    try {
      pod = staticPod((await files.read(path)).toString(), path, deps.nodeName, deps.clock.now());
    } catch (error) {
      log.warn("cannot read a static pod, going on with the version before", { file: path, error: (error as Error).message });
      pod = known?.pod;
    }
    manifests.set(name, { mtimeMs: found.mtimeMs, size: found.size, pod });
  }
}

/** The pod that a manifest stands for. Throws when it is none. */
export function staticPod(text: string, path: string, nodeName: string, now: number): Pod {
  const given = decodeJsonOrYaml(Buffer.from(text)).value as unknown as Pod | undefined;
  if (given?.kind !== "Pod" || given.spec?.containers === undefined) throw new Error(`"${path}" does not hold a Pod`);
  const uid = createHash("md5").update(JSON.stringify(given)).update(nodeName).update(path).digest("hex");
  const name = given.metadata?.name;
  if (name === undefined || name === "") throw new Error(`the pod in "${path}" has no name`);
  return {
    ...given,
    apiVersion: "v1",
    kind: "Pod",
    metadata: {
      ...given.metadata,
      name: `${name}-${nodeName}`,
      namespace: given.metadata.namespace ?? "default",
      uid,
      annotations: {
        ...given.metadata.annotations,
        "kubernetes.io/config.hash": uid,
        "kubernetes.io/config.seen": rfc3339(now),
        "kubernetes.io/config.source": "file",
      },
    },
    spec: {
      restartPolicy: "Always",
      terminationGracePeriodSeconds: 30,
      dnsPolicy: "ClusterFirst",
      enableServiceLinks: true,
      securityContext: {},
      schedulerName: "default-scheduler",
      ...given.spec,
      containers: given.spec.containers.map(withDefaults),
      ...(given.spec.initContainers === undefined ? {} : { initContainers: given.spec.initContainers.map(withDefaults) }),
      nodeName,
      tolerations: [...(given.spec.tolerations ?? []), { effect: "NoExecute", operator: "Exists" }],
    },
    status: {},
  };
}

const withDefaults = (container: Container): Container => ({
  imagePullPolicy: /:latest$|^[^:]*$/.test(container.image?.slice(container.image.lastIndexOf("/") + 1) ?? "")
    ? "Always"
    : "IfNotPresent",
  terminationMessagePath: "/dev/termination-log",
  terminationMessagePolicy: "File",
  ...container,
});

/** Hands new and changed pods to the fleet; a changed one waits until the one before it is gone. */
function follow(manifests: ReadonlyMap<string, Manifest>, { fleet }: StaticPodDeps): void {
  const wanted = new Map<string, Pod>();
  for (const { pod } of manifests.values()) if (pod !== undefined) wanted.set(pod.metadata.uid ?? "", pod);
  for (const worker of fleet.workers.values()) {
    const isOurs = worker.pod.metadata.annotations?.["kubernetes.io/config.source"] === "file";
    if (isOurs && !worker.isRemoved && !wanted.has(worker.uid)) fleet.remove(worker.pod);
  }
  for (const [uid, pod] of wanted) {
    if (!fleet.workers.has(uid) && fleet.find(pod.metadata.namespace ?? "", pod.metadata.name ?? "") === undefined)
      fleet.set(pod);
  }
}

/** A mirror for every static pod, and none for what is not there any more. */
async function syncMirrors(manifests: ReadonlyMap<string, Manifest>, deps: StaticPodDeps): Promise<void> {
  const { client, fleet } = deps;
  const node = deps.node();
  const wanted = new Map<string, Pod>();
  for (const { pod } of manifests.values())
    if (pod !== undefined) wanted.set(`${pod.metadata.namespace}/${pod.metadata.name}`, pod);
  for (const [key, mirror] of fleet.mirrors) {
    const pod = wanted.get(key);
    const isCurrent =
      pod !== undefined &&
      mirror.metadata.annotations?.[mirrorAnnotation] === pod.metadata.uid &&
      mirror.metadata.deletionTimestamp === undefined;
    if (isCurrent) wanted.delete(key);
    else if (pod !== undefined || fleet.find(mirror.metadata.namespace ?? "", mirror.metadata.name ?? "") === undefined)
      await deleteMirror(mirror, client);
    else wanted.delete(key); // its pod is still being stopped
  }
  for (const pod of wanted.values()) {
    try {
      await client.create(pods, mirrorOf(pod, node));
    } catch (error) {
      if (!isAlreadyExists(error)) throw error;
    }
  }
}

const mirrorAnnotation = "kubernetes.io/config.mirror";

function mirrorOf(pod: Pod, node: Node | undefined): Pod {
  const { uid: _uid, ...metadata } = pod.metadata;
  const owner = node?.metadata.uid;
  return {
    ...pod,
    metadata: {
      ...metadata,
      annotations: { ...metadata.annotations, [mirrorAnnotation]: pod.metadata.uid ?? "" },
      ...(owner === undefined
        ? {}
        : {
            ownerReferences: [{ apiVersion: "v1", kind: "Node", name: node?.metadata.name ?? "", uid: owner, controller: true }],
          }),
    },
  };
}

async function deleteMirror(mirror: Pod, client: Client): Promise<void> {
  try {
    const { namespace, name = "", uid } = mirror.metadata;
    await client.delete(pods, { namespace, name }, { gracePeriodSeconds: 0, preconditions: { uid } });
  } catch (error) {
    if (!isNotFound(error) && !isConflict(error)) throw error;
  }
}
