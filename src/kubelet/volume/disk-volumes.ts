// Volumes on disk.
import type { Pod, Quantity } from "#api";
import type { Clock, Files, Log, Processes, Random } from "#base";
import type { Client } from "#client";
import type { KubeletOptions } from "../options.ts";
import type { ReferencedObjects } from "../pod/environment.ts";
import type { AnyContainer } from "../pod/spec.ts";
import type { PodVolumes } from "./volumes.ts";

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

export class DiskVolumes implements PodVolumes, AsyncDisposable {
  constructor(_deps: DiskVolumesDeps) {}
  start(_live: () => ReadonlySet<string>): void {}
  async mount(pod: Pod): Promise<void> {
    throw new Error(`Cannot mount the volumes of pod "${pod.metadata.name}": not implemented yet`);
  }
  async unmount(): Promise<void> {}
  async mountsOf(_pod: Pod, _container: AnyContainer): Promise<{ mounts: []; terminationMessageFile: undefined }> {
    return { mounts: [], terminationMessageFile: undefined };
  }
  async terminationMessage(): Promise<string> {
    return "";
  }
  async [Symbol.asyncDispose](): Promise<void> {}
}
