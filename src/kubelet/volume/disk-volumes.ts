// The volumes of a node's pods on disk: pods/<uid>/volumes/<plugin>/<name>, laid out as upstream's.
import type { Pod, Quantity, Volume } from "#api";
import { type Clock, every, type Files, type Log, type Processes, type Random, randomSuffix, type Timer } from "#base";
import type { Client } from "#client";
import type { KubeletOptions } from "../options.ts";
import { clusterDomainOf, hostsFile } from "../pod/dns.ts";
import type { ReferencedObjects } from "../pod/environment.ts";
import { expand } from "../pod/expand.ts";
import { formatPod } from "../pod/names.ts";
import { podLogDirectory } from "../pod/sandbox-config.ts";
import { type AnyContainer, isHostNetwork } from "../pod/spec.ts";
import type { Mount } from "../runtime.ts";
import { writePayload } from "./atomic-writer.ts";
import { prepareHostPath } from "./host-path.ts";
import { memoryVolumeBytes } from "./memory-volume.ts";
import { mountsBelow, mountTmpfs, unmountBelow } from "./mounts.ts";
import { type Payload, type PayloadDeps, payloadOf } from "./payload.ts";
import { claimPath } from "./persistent.ts";
import { pathInside } from "./safe-path.ts";
import { bindSubPath } from "./sub-path.ts";
import { TokenKeeper } from "./tokens.ts";
import { CannotMount, type PodVolumes } from "./volumes.ts";

export interface DiskVolumesDeps {
  readonly client: Client;
  readonly files: Files;
  readonly processes?: Processes;
  readonly clock: Clock;
  readonly log: Log;
  readonly random: Random;
  readonly options: KubeletOptions;
  readonly objects: ReferencedObjects;
  readonly allocatable: () => Readonly<Record<string, Quantity>>;
}

interface MountedPod {
  pod: Pod;
  /** Where each volume is on the host. */
  readonly paths: Map<string, string>;
  /** What was written last, to write only what has changed. */
  readonly written: Map<string, Payload>;
}

const refreshMs = 20_000;
const longestTerminationMessage = 4096;
const largestLogForTail = 10 * 2 ** 20;

export class DiskVolumes implements PodVolumes, AsyncDisposable {
  readonly #deps: DiskVolumesDeps;
  readonly #tokens: TokenKeeper;
  readonly #mounted = new Map<string, MountedPod>();
  #refresh: Timer | undefined;

  constructor(deps: DiskVolumesDeps) {
    this.#deps = deps;
    this.#tokens = new TokenKeeper(deps);
  }

  /** Keeps the files of pods up to date. */
  start(current: () => ReadonlyMap<string, { readonly pod: Pod }>): void {
    this.#refresh = every(this.#deps.clock, refreshMs, async () => {
      const objects = readOnce(this.#deps.objects);
      for (const [uid, mounted] of this.#mounted) {
        const pod = current().get(uid)?.pod;
        if (pod !== undefined) mounted.pod = pod;
        await this.#update(mounted, objects).catch((error: unknown) => {
          this.#deps.log.debug("cannot refresh a volume", { pod: formatPod(mounted.pod), error: (error as Error).message });
        });
      }
    });
  }

  /** Removes what is left of pods that are gone. */
  async removeLeftovers(live: ReadonlySet<string>): Promise<void> {
    try {
      await this.#removeLeftovers(live);
    } catch (error) {
      this.#deps.log.warn("cannot remove directories of pods that are gone", { error: (error as Error).message });
    }
  }

  async mount(pod: Pod): Promise<void> {
    const uid = pod.metadata.uid ?? "";
    const mounted = this.#mounted.get(uid) ?? { pod, paths: new Map<string, string>(), written: new Map<string, Payload>() };
    mounted.pod = pod;
    await this.#deps.files.makeDirectory(this.#podDirectory(uid), 0o750);
    for (const volume of pod.spec.volumes ?? []) {
      try {
        mounted.paths.set(volume.name, await this.#setUp(mounted, volume));
      } catch (error) {
        throw new CannotMount(`MountVolume.SetUp failed for volume "${volume.name}" : ${(error as Error).message}`, {
          cause: error,
        });
      }
    }
    this.#mounted.set(uid, mounted);
  }

  async unmount(pod: Pod): Promise<void> {
    const uid = pod.metadata.uid ?? "";
    this.#mounted.delete(uid);
    this.#tokens.forget(uid);
    await this.#removePod(uid);
  }

  async mountsOf(pod: Pod, container: AnyContainer, podIps: readonly string[], environment: ReadonlyMap<string, string>) {
    const uid = pod.metadata.uid ?? "";
    const paths = this.#mounted.get(uid)?.paths;
    const mounts: Mount[] = [];
    for (const [index, mount] of (container.volumeMounts ?? []).entries()) {
      const path = paths?.get(mount.name);
      if (path === undefined) throw new Error(`cannot find volume "${mount.name}" to mount into container "${container.name}"`);
      const subPath =
        mount.subPathExpr === undefined ? mount.subPath : expand(mount.subPathExpr, (name) => environment.get(name));
      const hostPath =
        subPath === undefined || subPath === ""
          ? path
          : await this.#subPath(
              path,
              subPath,
              `${this.#podDirectory(uid)}/volume-subpaths/${mount.name}/${container.name}/${index}`,
              mount.name,
            );
      const propagation =
        mount.mountPropagation === "HostToContainer"
          ? "hostToContainer"
          : mount.mountPropagation === "Bidirectional"
            ? "bidirectional"
            : "private";
      mounts.push({
        hostPath,
        containerPath: mount.mountPath.startsWith("/") ? mount.mountPath : `/${mount.mountPath}`,
        readOnly: mount.readOnly === true,
        propagation,
      });
    }
    const isTaken = (path: string): boolean => mounts.some((mount) => mount.containerPath.replace(/\/+$/, "") === path);
    if (!isTaken("/etc/hosts") && (isHostNetwork(pod) ? (pod.spec.hostAliases ?? []).length > 0 : podIps.length > 0)) {
      mounts.push({
        hostPath: await this.#writeHosts(pod, podIps),
        containerPath: "/etc/hosts",
        readOnly: false,
        propagation: "private",
      });
    }
    const messagePath = container.terminationMessagePath ?? "/dev/termination-log";
    const file = await this.#newTerminationFile(uid, container.name);
    if (!isTaken(messagePath))
      mounts.push({ hostPath: file, containerPath: messagePath, readOnly: false, propagation: "private" });
    return { mounts, terminationMessageFile: file };
  }

  /** Where the pod's volumes are, by name; empty while they are not mounted. */
  paths(pod: Pod): ReadonlyMap<string, string> {
    return this.#mounted.get(pod.metadata.uid ?? "")?.paths ?? new Map();
  }

  async removeLogs(pod: Pod): Promise<void> {
    if (pod.metadata.uid !== undefined && pod.metadata.uid !== "")
      await this.#deps.files.remove(podLogDirectory(pod, this.#deps.options));
  }

  async logTail(file: string): Promise<string> {
    const found = await this.#deps.files.stat(file);
    if (found?.kind !== "file" || found.size > largestLogForTail) return "";
    return tailOf((await this.#deps.files.read(file)).toString());
  }

  async terminationMessage(file: string): Promise<string> {
    if ((await this.#deps.files.stat(file))?.kind !== "file") return "";
    return (await this.#deps.files.read(file)).subarray(0, longestTerminationMessage).toString();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#refresh?.cancel();
  }

  async #setUp(mounted: MountedPod, volume: Volume): Promise<string> {
    const { files, client } = this.#deps;
    const { pod } = mounted;
    if (volume.hostPath !== undefined) {
      await prepareHostPath(volume.hostPath, files);
      return volume.hostPath.path;
    }
    if (volume.persistentVolumeClaim !== undefined || volume.ephemeral !== undefined) {
      const found = await claimPath(pod, volume, client);
      await prepareHostPath({ path: found.path, type: found.type ?? "" }, files);
      return found.path;
    }
    if (volume.emptyDir !== undefined) return this.#emptyDirectory(pod, volume);
    const payload = await payloadOf(pod, volume, this.#payloadDeps());
    if (payload === undefined) {
      const kind = Object.keys(volume).find((key) => key !== "name") ?? "unknown";
      throw new CannotMount(`volumes of type ${kind} are not supported on this node yet`);
    }
    return this.#writeVolume(mounted, volume, payload);
  }

  async #writeVolume(mounted: MountedPod, volume: Volume, payload: Payload): Promise<string> {
    const { files, clock, random } = this.#deps;
    const path = this.#volumeDirectory(mounted.pod, volume);
    if (!samePayload(mounted.written.get(volume.name), payload)) {
      const stamp = `${new Date(clock.now()).toISOString().slice(0, 19).replace(/[-:T]/g, "_")}.${randomSuffix(random, 9)}`;
      await writePayload(path, payload, stamp, { fsGroup: mounted.pod.spec.securityContext?.fsGroup }, files);
      mounted.written.set(volume.name, payload);
    }
    return path;
  }

  async #update(mounted: MountedPod, objects: ReferencedObjects): Promise<void> {
    for (const volume of mounted.pod.spec.volumes ?? []) {
      if (!mounted.written.has(volume.name)) continue;
      const payload = await payloadOf(mounted.pod, volume, { ...this.#payloadDeps(), objects });
      // The pod may have gone while we were asking: then nothing may be written any more.
      if (payload !== undefined && this.#mounted.get(mounted.pod.metadata.uid ?? "") === mounted)
        await this.#writeVolume(mounted, volume, payload);
    }
  }

  async #emptyDirectory(pod: Pod, volume: Volume): Promise<string> {
    const { files, processes } = this.#deps;
    const path = this.#volumeDirectory(pod, volume);
    if ((await files.stat(path)) === undefined) await files.makeDirectory(path);
    if (volume.emptyDir?.medium === "Memory" && processes !== undefined && !(await mountsBelow(path, files)).includes(path)) {
      await mountTmpfs(path, memoryVolumeBytes(pod, volume, this.#deps.allocatable()["memory"]), processes);
    }
    const fsGroup = pod.spec.securityContext?.fsGroup;
    if (fsGroup !== undefined) await files.chown(path, 0, fsGroup);
    await files.chmod(path, fsGroup === undefined ? 0o777 : 0o2777);
    return path;
  }

  async #subPath(path: string, subPath: string, target: string, volume: string): Promise<string> {
    const { files, processes } = this.#deps;
    try {
      return processes === undefined
        ? await pathInside(path, subPath, files)
        : await bindSubPath(path, subPath, target, { files, processes });
    } catch (error) {
      throw new Error(`failed to prepare subPath for volumeMount "${volume}" of container: ${(error as Error).message}`, {
        cause: error,
      });
    }
  }

  async #writeHosts(pod: Pod, podIps: readonly string[]): Promise<string> {
    const { files, options } = this.#deps;
    const path = `${this.#podDirectory(pod.metadata.uid ?? "")}/etc-hosts`;
    const host = isHostNetwork(pod) ? (await files.read("/etc/hosts")).toString() : undefined;
    // Written in place: a running container has this very file mounted.
    await files.write(path, hostsFile(pod, podIps, clusterDomainOf(options), host), 0o644);
    return path;
  }

  async #newTerminationFile(uid: string, container: string): Promise<string> {
    const { files, random } = this.#deps;
    const directory = `${this.#podDirectory(uid)}/containers/${container}`;
    await files.makeDirectory(directory);
    const file = `${directory}/${randomSuffix(random, 8)}`;
    await files.write(file, "", 0o666);
    await files.chmod(file, 0o666);
    return file;
  }

  #payloadDeps(): PayloadDeps {
    const { objects, options, allocatable } = this.#deps;
    return {
      objects,
      tokens: this.#tokens,
      facts: (pod) => ({ pod, podIps: [], hostIps: options.nodeIps, allocatable: allocatable() }),
    };
  }

  #podDirectory(uid: string): string {
    return `${this.#root()}/pods/${uid}`;
  }

  #root(): string {
    return this.#deps.options.rootDirectory ?? "/var/lib/kubelet";
  }

  /** Secrets and tokens go where memory is, if there is such a place. */
  #volumeDirectory(pod: Pod, volume: Volume): string {
    const uid = pod.metadata.uid ?? "";
    const memory = this.#deps.options.memoryDirectory;
    const kind =
      (["emptyDir", "configMap", "secret", "projected", "downwardAPI"] as const).find((name) => volume[name] !== undefined) ??
      "emptyDir";
    const plugin = {
      emptyDir: "empty-dir",
      configMap: "configmap",
      secret: "secret",
      projected: "projected",
      downwardAPI: "downward-api",
    }[kind];
    const isSecret = kind === "secret" || kind === "projected" || (kind === "emptyDir" && volume.emptyDir?.medium === "Memory");
    const pods = isSecret && memory !== undefined ? `${memory}/pods/${uid}` : this.#podDirectory(uid);
    return `${pods}/volumes/kubernetes.io~${plugin}/${volume.name}`;
  }

  async #removePod(uid: string): Promise<void> {
    const { files, processes, options } = this.#deps;
    const places = [
      this.#podDirectory(uid),
      ...(options.memoryDirectory === undefined ? [] : [`${options.memoryDirectory}/pods/${uid}`]),
    ];
    for (const place of places) {
      if ((await files.stat(place)) === undefined) continue;
      await unmountBelow(place, files, processes);
      await files.remove(place);
    }
  }

  async #removeLeftovers(live: ReadonlySet<string>): Promise<void> {
    const { files, options } = this.#deps;
    for (const root of [this.#root(), options.memoryDirectory]) {
      if (root === undefined || (await files.stat(`${root}/pods`)) === undefined) continue;
      for (const uid of await files.list(`${root}/pods`)) if (!live.has(uid)) await this.#removePod(uid);
    }
  }
}

/** Each object is asked for once, however many pods refer to it. */
function readOnce(objects: ReferencedObjects): ReferencedObjects {
  const once = <T>(read: (namespace: string, name: string) => Promise<T>) => {
    const known = new Map<string, Promise<T>>();
    return (namespace: string, name: string): Promise<T> => {
      const key = `${namespace}/${name}`;
      const found = known.get(key) ?? read(namespace, name);
      known.set(key, found);
      return found;
    };
  };
  return { configMap: once(objects.configMap), secret: once(objects.secret) };
}

/** The text of a log in CRI's format ("time stream F text"): its last lines. */
export function tailOf(log: string, lines = 80, bytes = 2048): string {
  const texts = log
    .trimEnd()
    .split("\n")
    .slice(-lines)
    .map((line) => line.split(" ").slice(3).join(" "));
  const text = texts.join("\n");
  return text === "" ? "" : Buffer.from(`${text}\n`).subarray(-bytes).toString();
}

function samePayload(a: Payload | undefined, b: Payload): boolean {
  if (a === undefined || a.size !== b.size) return false;
  for (const [path, file] of b) {
    const other = a.get(path);
    if (other === undefined || other.mode !== file.mode || !other.data.equals(file.data)) return false;
  }
  return true;
}
