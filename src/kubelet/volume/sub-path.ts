// Mounts a subPath of a volume so that what is checked is what is mounted: bind first, then look at what was bound (CVE-2021-25741).
import type { Files, Processes } from "#base";
import { isAtOrBelow, type MountEntry, readMounts } from "./mounts.ts";
import { pathInside, realPath } from "./safe-path.ts";

/**
 * Returns the path to hand to the runtime: `target`, which nobody but the kubelet can change.
 * A container of the pod may swap directories for links at any time; a bind mount, once made, stays on what it was made of.
 */
export async function bindSubPath(
  volume: string,
  subPath: string,
  target: string,
  deps: { readonly files: Files; readonly processes: Processes },
): Promise<string> {
  const { files, processes } = deps;
  const source = await pathInside(volume, subPath, files);
  const root = (await realPath(volume, files)) ?? volume;
  if ((await readMounts(files)).some(({ point }) => point === target)) await run(processes, "umount", [target]);
  if ((await files.stat(source))?.kind === "directory") await files.makeDirectory(target);
  else {
    await files.makeDirectory(target.slice(0, target.lastIndexOf("/")));
    await files.write(target, "");
  }
  await run(processes, "mount", ["--bind", source, target]);
  if (isBoundInside(await readMounts(files), target, root)) return target;
  await run(processes, "umount", [target]);
  throw new Error(`subPath "${subPath}" was replaced while it was mounted`);
}

/** True when what is mounted on `target` lies in the directory `volume`, or in something mounted below it. */
export function isBoundInside(mounts: readonly MountEntry[], target: string, volume: string): boolean {
  const bound = mounts.findLast(({ point }) => point === target);
  if (bound === undefined) return false;
  const others = mounts.filter((mount) => mount !== bound);
  // The mount that holds the volume's directory: the longest point above it, the last of equals.
  const holder = others
    .filter(({ point }) => isAtOrBelow(volume, point))
    .reduce<MountEntry | undefined>(
      (best, mount) => (best === undefined || mount.point.length >= best.point.length ? mount : best),
      undefined,
    );
  const below = others.filter(({ point }) => isAtOrBelow(point, volume));
  const places = below.map(({ device, root }) => ({ device, root }));
  if (holder !== undefined)
    places.push({ device: holder.device, root: join(holder.root, volume.slice(holder.point === "/" ? 0 : holder.point.length)) });
  return places.some(({ device, root }) => device === bound.device && isAtOrBelow(bound.root, root));
}

const join = (root: string, rest: string): string => (root === "/" ? (rest === "" ? "/" : rest) : root + rest);

async function run(processes: Processes, command: string, args: readonly string[]): Promise<void> {
  const result = await processes.run(command, args);
  if (result.code !== 0) throw new Error(`Cannot ${command} "${args.at(-1)}": ${result.stderr.trim()}`);
}
