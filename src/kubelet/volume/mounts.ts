// Mounts of the host below a directory: found in mountinfo, taken away deepest first.
import type { Files, Processes } from "#base";

/** Mount points at or below `directory`, deepest first. */
export async function mountsBelow(directory: string, files: Files): Promise<readonly string[]> {
  let text: string;
  try {
    text = (await files.read("/proc/self/mountinfo")).toString();
  } catch {
    return []; // no such file: not Linux, so nothing was mounted
  }
  return text
    .split("\n")
    .map((line) => unescapeOctal(line.split(" ")[4] ?? ""))
    .filter((point) => point === directory || point.startsWith(`${directory}/`))
    .sort((a, b) => b.length - a.length);
}

const unescapeOctal = (text: string): string =>
  text.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));

export async function unmountBelow(directory: string, files: Files, processes: Processes | undefined): Promise<void> {
  if (processes === undefined) return;
  for (const point of await mountsBelow(directory, files)) {
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
