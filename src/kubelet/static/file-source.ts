// Static pods from the files of a directory.
import type { Pod } from "#api";
import type { Clock, Files, Log } from "#base";
import { statThrough } from "../volume/safe-path.ts";
import { staticPod } from "./manifest.ts";
import type { StaticSource } from "./static-pods.ts";

export interface FileSourceDeps {
  readonly files: Files;
  readonly clock: Clock;
  readonly log: Log;
  readonly nodeName: string;
}

interface Manifest {
  readonly mtimeMs: number;
  readonly size: number;
  /** Undefined where the file is no pod. */
  readonly pod: Pod | undefined;
}

const lookMs = 1000;

export function fileSource(directory: string, deps: FileSourceDeps): StaticSource {
  const manifests = new Map<string, Manifest>();
  return {
    everyMs: lookMs,
    look: async () => {
      try {
        await readManifests(directory, manifests, deps);
      } catch (error) {
        deps.log.warn("cannot read the directory of static pods", { directory, error: (error as Error).message });
      }
      return true; // a directory that cannot be read now counts as empty: nothing waits for it
    },
    pods: () => [...manifests.values()].flatMap(({ pod }) => (pod === undefined ? [] : [pod])),
  };
}

async function readManifests(directory: string, manifests: Map<string, Manifest>, deps: FileSourceDeps): Promise<void> {
  const { files, log, nodeName, clock } = deps;
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
      const text = (await files.read(path)).toString();
      pod = staticPod(text, { source: "file", place: path, nodeName, now: clock.now() });
    } catch (error) {
      log.warn("cannot read a static pod, going on with the version before", { file: path, error: (error as Error).message });
      pod = known?.pod;
    }
    manifests.set(name, { mtimeMs: found.mtimeMs, size: found.size, pod });
  }
}
