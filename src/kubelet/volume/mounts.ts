// Mounts of the host: found in mountinfo, made, and taken away deepest first.
import type { Files, Processes } from "#base";

/** One line of /proc/self/mountinfo. */
export interface MountEntry {
  /** "major:minor" of the file system. */
  readonly device: string;
  /** Which directory of that file system is mounted. */
  readonly root: string;
  readonly point: string;
}

/** Later mounts come later: of two on one point the last is seen. Empty where there is no such file (not Linux). */
export async function readMounts(files: Files): Promise<readonly MountEntry[]> {
  try {
    return parseMounts((await files.read("/proc/self/mountinfo")).toString());
  } catch {
    return [];
  }
}

export function parseMounts(text: string): readonly MountEntry[] {
  const entries: MountEntry[] = [];
  for (const line of text.split("\n")) {
    const [, , device, root, point] = line.split(" ");
    if (device !== undefined && root !== undefined && point !== undefined)
      entries.push({ device, root: unescapeOctal(root), point: unescapeOctal(point) });
  }
  return entries;
}

const unescapeOctal = (text: string): string =>
  text.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));

export const isAtOrBelow = (path: string, directory: string): boolean =>
  path === directory || path.startsWith(directory === "/" ? "/" : `${directory}/`);

/** Mount points at or below `directory`, deepest first. */
export const mountsBelow = async (directory: string, files: Files): Promise<readonly string[]> =>
  (await readMounts(files))
    .map(({ point }) => point)
    .filter((point) => isAtOrBelow(point, directory))
    .sort((a, b) => b.length - a.length);

/** Throws when something stays mounted: its contents must not be removed then. */
export async function unmountBelow(directory: string, files: Files, processes: Processes | undefined): Promise<void> {
  for (const point of await mountsBelow(directory, files)) {
    if (processes === undefined) throw new Error(`Cannot unmount "${point}": this kubelet may not run commands`);
    const result = await processes.run("umount", [point]);
    if (result.code !== 0) throw new Error(`Cannot unmount "${point}": ${result.stderr.trim()}`);
  }
}

/** `sizeBytes` 0: the system's default (half of the memory). */
export async function mountTmpfs(directory: string, sizeBytes: number, processes: Processes): Promise<void> {
  const options = sizeBytes > 0 ? ["-o", `size=${sizeBytes}`] : [];
  const result = await processes.run("mount", ["-t", "tmpfs", ...options, "tmpfs", directory]);
  if (result.code !== 0) throw new Error(`Cannot mount a tmpfs on "${directory}": ${result.stderr.trim()}`);
}
