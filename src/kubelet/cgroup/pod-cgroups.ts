// A control group per pod, below one for its quality of service, below the node's own root; nothing of it is left when the node has stopped.
import { milliValue, type Pod, quantityValue } from "#api";
import type { Clock, Files, Log, Processes } from "#base";
import { qosClass } from "../pod/qos.ts";
import { cpuShares } from "../pod/resources.ts";
import { CgroupTrees, findMounts, type GroupLimits } from "./kernel.ts";
import { burstableShares, podLimits, widerOf } from "./limits.ts";

export interface PodCgroupsOptions {
  /** Of this node alone: several nodes share a kernel. "/kubepods" comes below it. */
  readonly root: string;
  /** What all pods together may use. */
  readonly allocatable: { readonly cpu: string; readonly memoryBytes: number };
  /** Processes of a pod; -1 for as many as the kernel gives, absent for what is set. */
  readonly podMaxPids?: number;
}

export interface PodCgroupsDeps {
  readonly files: Files;
  readonly processes: Pick<Processes, "signal">;
  readonly clock: Clock;
  readonly log: Log;
}

export interface PodCgroups {
  /** The group that the pod's containers go below. */
  parentOf(pod: Pod): string;
  /** Makes the pod's group, or brings its limits up to date. */
  make(pod: Pod): Promise<void>;
  /** Limits for the time in which containers go from the old limits to the new: `make` follows. */
  widen(pod: Pod): Promise<void>;
  /** Kills what is left in it. Harmless when there is none. */
  remove(uid: string): Promise<void>;
  /** Groups of pods that are not among these are removed. */
  keepOnly(pods: Iterable<Pod>): Promise<void>;
}

/** Everything below a node's root and the root itself; what still runs there is killed. */
export async function removeNodeCgroups(root: string, deps: Omit<PodCgroupsDeps, "log">): Promise<void> {
  const mounts = await mountsOf(deps.files);
  if (mounts !== undefined) await new CgroupTrees(mounts, deps).remove(root);
}

const mountsOf = async (files: Files) =>
  findMounts((await files.read("/proc/self/mounts").catch(() => Buffer.alloc(0))).toString());

const qualities = ["", "/burstable", "/besteffort"];
const podPrefix = "pod";

/** Undefined, and a line in the log, where groups cannot be made (in an unprivileged container, say): pods run without. */
export async function openPodCgroups(options: PodCgroupsOptions, deps: PodCgroupsDeps): Promise<PodCgroups | undefined> {
  const { files, log } = deps;
  const unable = (error: string): undefined => {
    log.warn("cannot make control groups: pods have no limits of their own, only their containers have", { error });
    return undefined;
  };
  const mounts = await mountsOf(files);
  if (mounts === undefined) return unable("no controllers for cpu and memory are mounted");
  const groups = new Groups(options, new CgroupTrees(mounts, deps));
  try {
    await groups.open();
    return groups;
  } catch (error) {
    await groups.giveUp();
    return unable((error as Error).message);
  }
}

class Groups implements PodCgroups {
  readonly #options: PodCgroupsOptions;
  readonly #trees: CgroupTrees;
  readonly #top: string;
  readonly #pods = new Map<string, { readonly pod: Pod; readonly limits: GroupLimits }>();
  /** Writes of the shares of all burstable pods, one after the other: the last sum stays. */
  #sharing: Promise<void> = Promise.resolve();

  constructor(options: PodCgroupsOptions, trees: CgroupTrees) {
    this.#options = options;
    this.#trees = trees;
    this.#top = `${options.root}/kubepods`;
  }

  async open(): Promise<void> {
    const { root, allocatable } = this.#options;
    const all = { cpuShares: cpuShares(milliValue(allocatable.cpu)) };
    await this.#trees.set(root, all);
    await this.#trees.set(this.#top, { ...all, memoryLimitBytes: quantityValue(allocatable.memoryBytes) });
    await this.#trees.set(`${this.#top}/besteffort`, { cpuShares: cpuShares(0) });
    await this.#trees.set(`${this.#top}/burstable`, { cpuShares: burstableShares([]) });
  }

  /** What could be made goes again; pods of an earlier life stay. */
  giveUp(): Promise<void> {
    const top = this.#top;
    return this.#trees.removeEmpty([`${top}/burstable`, `${top}/besteffort`, top, this.#options.root]);
  }

  parentOf(pod: Pod): string {
    const quality = qosClass(pod);
    return `${this.#top}${quality === "Guaranteed" ? "" : `/${quality.toLowerCase()}`}/${podPrefix}${pod.metadata.uid}`;
  }

  async make(pod: Pod): Promise<void> {
    await this.#set(pod, podLimits(pod, this.#options.podMaxPids));
  }

  async widen(pod: Pod): Promise<void> {
    const wanted = podLimits(pod, this.#options.podMaxPids);
    const before = this.#pods.get(pod.metadata.uid ?? "")?.limits;
    // what a kubelet before this one had set is not known: for a moment there is no limit
    await this.#set(pod, widerOf(before ?? {}, wanted));
  }

  async remove(uid: string): Promise<void> {
    const known = this.#pods.get(uid)?.pod;
    const paths =
      known === undefined ? qualities.map((quality) => `${this.#top}${quality}/${podPrefix}${uid}`) : [this.parentOf(known)];
    for (const path of paths) await this.#trees.remove(path);
    if (this.#pods.delete(uid)) await this.#share();
  }

  async keepOnly(pods: Iterable<Pod>): Promise<void> {
    const wanted = new Map([...pods].map((pod) => [pod.metadata.uid ?? "", pod]));
    for (const [uid, pod] of wanted)
      if (!this.#pods.has(uid)) this.#pods.set(uid, { pod, limits: podLimits(pod, this.#options.podMaxPids) });
    for (const quality of qualities) {
      for (const name of await this.#trees.below(`${this.#top}${quality}`)) {
        if (name.startsWith(podPrefix) && !wanted.has(name.slice(podPrefix.length)))
          await this.#trees.remove(`${this.#top}${quality}/${name}`);
      }
    }
    await this.#share();
  }

  async #set(pod: Pod, limits: GroupLimits): Promise<void> {
    await this.#trees.set(this.parentOf(pod), limits);
    this.#pods.set(pod.metadata.uid ?? "", { pod, limits });
    await this.#share();
  }

  #share(): Promise<void> {
    this.#sharing = this.#sharing
      .catch(() => {})
      .then(() => {
        const shares = burstableShares([...this.#pods.values()].map(({ pod }) => pod));
        return this.#trees.set(`${this.#top}/burstable`, { cpuShares: shares });
      });
    return this.#sharing;
  }
}
